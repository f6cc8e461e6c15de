"""A checked recipe -> built parts, such as its encoder and decoder."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from showtell.captioners.captioner import Captioner
from showtell.captioners.neural import Neural
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.plumbing.errors import ShowtellError
from showtell.recipe.fits import FITS
from showtell.recipe.room import TRAINED, check_room
from showtell.recipe.tables import options, part
from showtell.settings.text import Recipe
from showtell.tokenizers.captions import Tokenizer


class Parts:
    """A captioner gets the parts of its recipe from this, for example `Parts(...)("decoder", encoder, tokenizer)`."""

    def __init__(self, recipe: Recipe, load_folder: Callable[[Path], Captioner]) -> None:
        self.recipe, self.captioner = recipe, load_folder

    def __call__(self, section: str, *arguments: Any) -> Any:
        special: dict[str, Callable[..., Any]] = {"encoder": build_encoder, "decoder": build_decoder}
        return special[section](self.recipe, *arguments) if section in special else build(self.recipe, section)


def build(recipe: Recipe, section: str, *arguments: Any) -> Any:
    """Call the chosen part of a section with the section's options."""
    return part(recipe, section)(*arguments, **options(recipe, section))


def build_neural(recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer) -> Neural:
    """A captioner to train, from the encoder, the tokenizer, and a decoder as the recipe names it."""
    return Neural(encoder, build_decoder(recipe, encoder, tokenizer, TRAINED), tokenizer, recipe)


def build_decoder(recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer, copies: int = 1) -> Decoder:
    """A decoder for the features of this encoder. Raises RecipeError if the built parts do not fit (`fits.py`).

    Raises InputError if memory has no room for so many `copies` of its weights.
    """
    if "weights" not in recipe["decoder"]:
        check_room("decoder", partial(build, recipe, "decoder", encoder.dim, len(tokenizer)), copies)
    decoder: Decoder = build(recipe, "decoder", encoder.dim, len(tokenizer))
    build(recipe, "peft", decoder)
    for fit in FITS:
        fit(recipe, encoder, decoder, tokenizer)
    return decoder


def build_encoder(recipe: Recipe) -> Encoder:
    """The encoder, inside its regions. Regions that take no encoder (`precomputed`) replace it, and none is built."""
    parameters = inspect.signature(part(recipe, "regions")).parameters.values()
    around = any(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    encoder: Encoder = build(recipe, "regions", *([_build_seeing(recipe)] if around else []))
    return encoder


def _build_seeing(recipe: Recipe) -> Encoder:
    try:
        if "weights" not in recipe["encoder"] and recipe["encoder"]["name"] == "cnn":
            check_room("encoder", partial(build, recipe, "encoder"), TRAINED)
        encoder: Encoder = build(recipe, "encoder")
    except ShowtellError as error:  # an encoder says `grid_size`, and the user wrote `encoder.grid_size`
        error.within("encoder")
        raise
    return encoder
