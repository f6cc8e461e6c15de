"""The tables of every section, and the part that a recipe chooses from them."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from showtell.captioners.neighbours import Neighbours
from showtell.data import DATA
from showtell.decode import STRATEGIES
from showtell.decoders import DECODERS
from showtell.encoders import ENCODERS
from showtell.encoders.turned import Views
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.recipe.fixed import Evaluate, Train
from showtell.regions import REGIONS
from showtell.settings.schema import no_number, schema_of, wording
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS


def neural(*, views: Views = "none") -> None:
    """Encoder, decoder and tokenizer, trained, of which each has its section; it captions by the mean over `views`."""


def ensemble(*, members: Annotated[tuple[str, ...], Field(min_length=2)], views: Views = "none") -> None:
    """Folders of trained captioners, as paths from the folder of the ensemble; `showtell ensemble` writes them."""


PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "data": DATA,
    "encoder": ENCODERS,
    "regions": REGIONS,
    "tokenizer": TOKENIZERS,
    "decoder": DECODERS,
    "decode": STRATEGIES,
    # CAPTIONERS, which stands below, has the same names.
    "captioner": {"neural": neural, "nearest": Neighbours, "ensemble": ensemble},
}
FIXED: dict[str, Callable[..., Any]] = {"train": Train, "evaluate": Evaluate}
DEFAULTS = {"data": "auto", "encoder": "lite", "tokenizer": "words", "decoder": "transformer", "decode": "beam"}
DEFAULTS |= {"captioner": "neural", "regions": "none"}
ABSENT: dict[str, tuple[str, ...]] = {  # sections that a captioner has no use for
    "nearest": ("tokenizer", "decoder", "decode"),
    "ensemble": ("encoder", "regions", "tokenizer", "decoder"),  # each member has its own
}
NESTED = {"data": ("sets", "root"), "encoder": ("parts", "name")}  # a list of such sections, and what a word there sets
UNTRAINED = ("seed", "device", "precision")  # what is left of `train` where nothing trains


def part(recipe: Recipe, section: str) -> Callable[..., Any]:
    """The entry of the section's table that the recipe chose."""
    if section not in recipe:
        raise RecipeError(f"{section} does not apply to captioner {recipe['captioner']['name']!r}")
    return chosen(section, recipe[section].get("name", DEFAULTS.get(section)))


def options(recipe: Recipe, section: str) -> dict[str, Any]:
    """The section's keyword arguments, typed as the chosen callable has them."""
    return validated(section, recipe[section]).model_dump()


def chosen(section: str, name: Any, key: str | None = None) -> Callable[..., Any]:
    if section in FIXED:
        return FIXED[section]
    table = PARTS[section]
    if not isinstance(name, str) or name not in table:
        raise RecipeError(f"{key or section}.name is {name!r}{nearest(name, table)}; it takes {', '.join(table)}")
    return table[name]


def validated(section: str, values: dict[str, Any], key: str | None = None) -> BaseModel:
    name = section if section in FIXED else values.get("name", DEFAULTS[section])
    schema = schema_of(chosen(section, name, key))
    given = {key: value for key, value in values.items() if key != "name" or section in FIXED}
    try:
        return schema.model_validate({key: no_number(schema, key, value) for key, value in given.items()})
    except ValidationError as error:
        raise RecipeError(wording(key or section, name, given, schema, error)) from None
