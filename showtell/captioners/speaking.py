"""A decoder and features -> captions: the code that all captioners with a decoder share."""

from collections.abc import Mapping, Sequence
from typing import Any

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.views import decoder_of_views
from showtell.decode import STRATEGIES, check_words
from showtell.decode.options import check_begin, check_positions
from showtell.decoders.decoder import Decoder
from showtell.encoders.turned import VIEWS
from showtell.features import Seen
from showtell.settings.schema import choose, validated
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer, words_of
from showtell.tokenizers.phrases import Phrases


def describe(
    decoder: Decoder, features: Seen, tokenizer: Tokenizer, spelling: Phrases, decode: Mapping[str, Any]
) -> list[Caption]:
    """The best caption of each image, with its `others`; by the strategy and the options of `decode`."""
    return list(map(best_of, describe_several(decoder, features, tokenizer, spelling, decode)))


def best_of(captions: Sequence[Caption]) -> Caption:
    """The first caption, with the rest as its `others`."""
    return captions[0]._replace(others=tuple(captions[1:]))


def describe_several(
    decoder: Decoder, features: Seen, tokenizer: Tokenizer, spelling: Phrases, decode: Mapping[str, Any]
) -> list[list[Caption]]:
    """Up to `num_return_sequences` captions of each image, best first. The first one is always there."""
    name = decode["name"]
    strategy = choose("decode", STRATEGIES, name)
    settings = validated("decode", name, strategy, decode).model_dump()
    check_positions(decoder.max_length, settings.get("max_length"))
    decoder.eval()
    decoded = strategy(decoder_of_views(decoder, features), features, tokenizer.special, spelling, **settings)
    images: list[list[Caption]] = []
    for tokens, mask, log_probs in zip(*(part.tolist() for part in decoded), strict=True):
        captions: list[Caption] = []
        for row, real, log_prob in zip(tokens, mask, log_probs, strict=True):
            ids = [token for token, is_real in zip(row, real, strict=True) if is_real]
            if ids or not captions:
                captions.append(Caption(tokenizer.decode(words_of(ids, tokenizer.special)), ids, log_prob))
        images.append(captions)
    return images


def returns_several(decode: Mapping[str, Any]) -> bool:
    """Whether a decode section asks for more than one caption of each image."""
    return int(decode.get("num_return_sequences") or 1) > 1


def changed(decode: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A decode section with changes. Another `name` drops the options of the old strategy.

    >>> changed({"name": "beam", "num_beams": 5}, {"name": "greedy"})
    {'name': 'greedy'}
    """
    same = changes.get("name", decode["name"]) == decode["name"]
    return {**(decode if same else {}), **changes}


def recipe_of(captioner: Captioner) -> Recipe:
    """The recipe to save. It has the captioner's current `decode` and `views`, so a loaded captioner has them too."""
    recipe = captioner.recipe or {}
    captions_by = {**recipe.get("captioner", {}), "views": captioner.views}
    return recipe | {"decode": dict(captioner.decode), "captioner": captions_by}


def check_decoding(decoder: Decoder, spelling: Phrases, decode: Mapping[str, Any]) -> None:
    """Raise RecipeError if max_length is too long for the decoder or too short for the prompt, or a word has no ids."""
    check_positions(decoder.max_length, decode.get("max_length"))
    check_begin(len(spelling.tokenizer.special.begin), decode.get("max_length"))
    check_words(spelling, decode.get("must", ()), decode.get("must_not", ()))


def manner(decode: Mapping[str, Any], views: str) -> str:
    """The strategy and its options in one line, for the signatures of scores.

    >>> manner({"name": "beam", "num_beams": 5, "must": []}, "none")
    'beam(num_beams=5)'
    """
    settings = [f"{key}={value}" for key, value in decode.items() if key != "name" and value != []]
    mean = f"mean over views ({views}): " if VIEWS[views] else ""
    return f"{mean}{decode['name']}({','.join(settings)})"
