"""A checked recipe -> built parts."""

import inspect
from typing import Any

from showtell.encoders.encoder import Encoder
from showtell.plumbing.errors import RecipeError
from showtell.recipe.tables import options, part
from showtell.settings.text import Recipe


def build(recipe: Recipe, section: str, *arguments: Any) -> Any:
    """Call the chosen part of a section with the section's options."""
    return part(recipe, section)(*arguments, **options(recipe, section))


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
