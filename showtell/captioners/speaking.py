"""A decoder and features -> captions: what every captioner with a decoder does, a trained one and an ensemble."""

from collections.abc import Mapping
from typing import Any

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.views import decoder_of_views
from showtell.decode import STRATEGIES, check_words
from showtell.decode.options import check_positions
from showtell.decoders.decoder import Decoder
from showtell.encoders.turned import VIEWS
from showtell.features import Features
from showtell.settings.schema import choose, validated
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.phrases import Phrases


def describe(
    decoder: Decoder, features: Features, tokenizer: Tokenizer, spelling: Phrases, decode: Mapping[str, Any]
) -> list[Caption]:
    """The likeliest caption of each image, by the strategy and the settings of `decode`."""
    name = decode["name"]
    strategy = choose("decode", STRATEGIES, name)
    settings = validated("decode", name, strategy, decode).model_dump()
    check_positions(decoder.max_length, settings.get("max_length"))
    decoder.eval()
    found = strategy(decoder_of_views(decoder, features), features, tokenizer.special, spelling, **settings)
    tokens, mask, log_probs = (x[:, 0].tolist() for x in (found.tokens, found.mask, found.log_probs))
    rows = [[t for t, real in zip(*row, strict=True) if real] for row in zip(tokens, mask, strict=True)]
    return [Caption(_text(tokenizer, row), row, log_prob) for row, log_prob in zip(rows, log_probs, strict=True)]


def _text(tokenizer: Tokenizer, tokens: list[int]) -> str:
    end = 1 if tokens[-1] == tokenizer.special.eos else 0
    return tokenizer.decode(tokens[1 : len(tokens) - end])


def changed(decode: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A decode section with changes; another `name` drops the other strategy's options.

    >>> changed({"name": "beam", "num_beams": 5}, {"name": "greedy"})
    {'name': 'greedy'}
    """
    same = changes.get("name", decode["name"]) == decode["name"]
    return {**(decode if same else {}), **changes}


def recipe_of(captioner: Captioner) -> Recipe:
    """The recipe to save: a captioner that is loaded again captions as this one does now."""
    recipe = captioner.recipe or {}
    captions_by = {**recipe.get("captioner", {}), "views": captioner.views}
    return recipe | {"decode": dict(captioner.decode), "captioner": captions_by}


def check_decoding(decoder: Decoder, spelling: Phrases, decode: Mapping[str, Any]) -> None:
    """RecipeError if the decoding asks for longer captions than the decoder reads, or for words it cannot write."""
    check_positions(decoder.max_length, decode.get("max_length"))
    check_words(spelling, decode.get("must", ()), decode.get("must_not", ()))


def manner(decode: Mapping[str, Any], views: str) -> str:
    """
    >>> manner({"name": "beam", "num_beams": 5, "must": []}, "none")
    'beam(num_beams=5)'
    """
    settings = [f"{key}={value}" for key, value in decode.items() if key != "name" and value != []]
    mean = f"mean over views ({views}): " if VIEWS[views] else ""
    return f"{mean}{decode['name']}({','.join(settings)})"
