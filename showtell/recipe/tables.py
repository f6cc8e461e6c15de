"""The table of parts of every section, and the part that a recipe chooses from it."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from showtell.captioners import CAPTIONERS
from showtell.captioners.neural import Neural
from showtell.data import DATA
from showtell.decode import STRATEGIES
from showtell.decoders import DECODERS
from showtell.encoders import ENCODERS
from showtell.losses import LOSSES
from showtell.peft import PEFT
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.recipe.fixed import Evaluate, Train
from showtell.regions import REGIONS
from showtell.settings.schema import choose, schema_of
from showtell.settings.schema import validated as by_signature
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS

PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "data": DATA,
    "encoder": ENCODERS,
    "regions": REGIONS,
    "tokenizer": TOKENIZERS,
    "decoder": DECODERS,
    "peft": PEFT,
    "loss": LOSSES,
    "decode": STRATEGIES,
    "captioner": {name: captioner.options for name, captioner in CAPTIONERS.items()},
}
FIXED: dict[str, Callable[..., Any]] = {"train": Train, "evaluate": Evaluate}
DEFAULTS = {"data": "auto", "encoder": "lite", "tokenizer": "words", "decoder": "transformer", "decode": "beam"}
DEFAULTS |= {"captioner": "neural", "regions": "none", "loss": "cross_entropy", "peft": "all"}
# Section -> (its option that is a list of such sections, the key that a single word there sets): in
# `encoder.parts=[lite, timm]`, `lite` means {name: lite}.
NESTED = {"data": ("sets", "root"), "encoder": ("parts", "name")}
UNTRAINED = ("seed", "device", "precision")  # the options of `train` for a captioner that makes no training steps


def part(recipe: Recipe, section: str) -> Callable[..., Any]:
    """The entry of the section's table that the recipe chooses."""
    if section not in recipe:
        raise RecipeError(f"does not apply to captioner {recipe['captioner']['name']!r}", key=section)
    return chosen(section, recipe[section].get("name", DEFAULTS.get(section)))


def options(recipe: Recipe, section: str) -> dict[str, Any]:
    """The section's keyword arguments, with the types in the signature of the chosen part."""
    return validated(section, recipe[section]).model_dump()


def defaults(recipe: Recipe, section: str) -> dict[str, Any]:
    """The default values of the options of a section's part. An option that must be set has none."""
    parameters = inspect.signature(part(recipe, section)).parameters
    return {name: each.default for name, each in parameters.items() if each.default is not each.empty}


def nearest_option(name: str, sections: Iterable[str]) -> str | None:
    """The full name of an option that was written without its section; None if no option has a similar name.

    >>> nearest_option("num_beam", ["train", "decode"]), nearest_option("max_length", ["decoder", "decode"])
    ('decode.num_beams', 'decoder.max_length or decode.max_length')
    """
    homes: dict[str, list[str]] = {}
    for section in sections:
        for part in [FIXED[section]] if section in FIXED else PARTS[section].values():
            for option in schema_of(part).model_fields:
                key = f"{section}.{option}"
                if key not in homes.setdefault(option, []):
                    homes[option].append(key)
    near = nearest(name, homes)
    return " or ".join(homes[near]) if near is not None else None


def absent(captioner: str) -> tuple[str, ...]:
    """The sections that a captioner never reads."""
    return tuple(section for section in Neural.sections if section not in CAPTIONERS[captioner].sections)


def chosen(section: str, name: Any, key: str | None = None) -> Callable[..., Any]:
    if section == "captioner":  # a user adds to CAPTIONERS, and PARTS does not know that
        options: Callable[..., Any] = choose(key or section, CAPTIONERS, name).options
        return options
    return FIXED[section] if section in FIXED else choose(key or section, PARTS[section], name)


def validated(section: str, values: dict[str, Any], key: str | None = None) -> BaseModel:
    name = None if section in FIXED else values.get("name", DEFAULTS[section])
    return by_signature(key or section, name, chosen(section, name, key), values)
