"""A checked recipe -> built parts."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from showtell.captioners.captioner import Captioner
from showtell.captioners.neural import Neural
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.plumbing.errors import RecipeError
from showtell.recipe.tables import options, part
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer


class Parts:
    """`Parts(recipe)("decoder", encoder, tokenizer)`: how a captioner gets the parts that its recipe names."""

    def __init__(self, recipe: Recipe, load_folder: Callable[[Path], Captioner]) -> None:
        self.recipe, self.captioner = recipe, load_folder

    def __call__(self, section: str, *arguments: Any) -> Any:
        special: dict[str, Callable[..., Any]] = {"encoder": build_encoder, "decoder": build_decoder}
        return special[section](self.recipe, *arguments) if section in special else build(self.recipe, section)


def build(recipe: Recipe, section: str, *arguments: Any) -> Any:
    """Call the chosen part of a section with the section's options."""
    return part(recipe, section)(*arguments, **options(recipe, section))


def build_neural(recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer) -> Neural:
    """The recipe's decoder, with the weights it starts from, between the two."""
    return Neural(encoder, build_decoder(recipe, encoder, tokenizer), tokenizer, recipe)


def build_decoder(recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer) -> Decoder:
    """A decoder that reads what the encoder gives; RecipeError if it cannot."""
    decoder: Decoder = build(recipe, "decoder", encoder.dim, len(tokenizer))
    _check_fit(encoder, decoder, recipe)
    return decoder


def build_encoder(recipe: Recipe) -> Encoder:
    """The encoder with its regions around it; regions that take no encoder stand in its place, and none is built."""
    parameters = inspect.signature(part(recipe, "regions")).parameters.values()
    around = any(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    encoder: Encoder = build(recipe, "regions", *([_build_seeing(recipe)] if around else []))
    return encoder


def _build_seeing(recipe: Recipe) -> Encoder:
    try:
        encoder: Encoder = build(recipe, "encoder")
    except RecipeError as error:  # by itself it knows its options, and not whose section they stand in
        raise RecipeError(f"{'' if str(error).startswith('encoder') else 'encoder.'}{error}") from None
    return encoder


def _check_fit(encoder: Encoder, decoder: Decoder, recipe: Recipe) -> None:
    """Whether the decoder can read what the regions give; of a grid that is seen when the first image comes."""
    if None not in (decoder.regions, encoder.count) and decoder.regions != encoder.count:
        raise RecipeError(
            f"decoder.regions is {decoder.regions}, and regions {recipe['regions']['name']!r} gives "
            f"{encoder.count} an image; decoder.regions={encoder.count} takes them"
        )
    if decoder.reads_boxes and not encoder.places:
        raise RecipeError(
            f"decoder {recipe['decoder']['name']!r} reads where each region lies, and regions.file="
            f"{recipe['regions']['file']} has no boxes; add them, or take a decoder that reads none: "
            "decoder.sees=pooled, decoder=attend without decoder.image_dim, decoder=topdown"
        )
