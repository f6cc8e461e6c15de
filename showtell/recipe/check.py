"""A recipe's plain dict -> checked sections. The signatures in the tables are the schema.

A section may set the keyword-only arguments of its chosen part: `encoder=lite` takes those of `Lite.__init__`. pydantic
checks the values; the words of the errors are ours.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from showtell.captioners import CAPTIONERS
from showtell.metrics.names import select as check_names
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.recipe.rules import RULES, refuse_neural
from showtell.recipe.tables import DEFAULTS, FIXED, NESTED, PARTS, UNTRAINED, absent, nearest_option, validated
from showtell.settings.text import Recipe
from showtell.settings.text import load_recipe as read_recipe


def check(recipe: Recipe) -> Recipe:
    """Fill in and check every option of every section. The values are plain, so YAML can hold them.

    Raises RecipeError if a section, part, option or value is not allowed. Nothing is built.
    """
    sections = [*PARTS, *FIXED]
    for section, values in recipe.items():
        if section not in sections:
            raise _no_section(section, values)
        if not isinstance(values, Mapping):
            raise RecipeError(key=section, value=values, takes="a section, as {name: lite}")
    captioner = _checked("captioner", recipe.get("captioner", {}))["name"]
    if captioner != "neural":
        refuse_neural(recipe, captioner)
        sections = [section for section in sections if section not in absent(captioner)]
    if "data" not in recipe and not CAPTIONERS[captioner].needs_data:
        sections.remove("data")
    asked = recipe.get("evaluate", {}).get("metrics")
    if isinstance(asked, str):
        check_names(asked)  # an unknown name gets its own error, not `it takes a list`
    checked = {section: _checked(section, recipe.get(section, {})) for section in sections}
    if captioner != "neural":
        checked["train"] = {key: checked["train"][key] for key in UNTRAINED}
    for rule in RULES:
        rule(checked)
    return checked


def _no_section(name: str, values: object) -> RecipeError:
    """The error for an unknown section. `encodr.model=x` has a mistyped section; `epochs=3` lacks its section."""
    sections = [*PARTS, *FIXED]
    near = nearest(name, sections)
    if not isinstance(values, Mapping) or set(values) == {"name"}:
        option = nearest_option(name, sections)
        if near is None or (option is not None and option.endswith(f".{name}")):
            near = option
    return RecipeError("is not a section", key=name, takes=sections, taker="sections are", near=near)


def _checked(section: str, values: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """Check one section. `key` is its name in errors, for example `data.sets[1]` if it is inside another section."""
    key = key or section
    name = {} if section in FIXED else {"name": values.get("name", DEFAULTS[section])}
    checked = name | validated(section, values, key).model_dump(mode="json")
    option, word = NESTED.get(section, ("", ""))
    if isinstance(nested := checked.get(option), list):
        sections = [each if isinstance(each, dict) else {word: each} for each in nested]
        checked[option] = [_checked(section, each, f"{key}.{option}[{number}]") for number, each in enumerate(sections)]
    return checked


def load_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A packaged recipe or a YAML file, with overrides such as `"encoder=lite"`, as nested dicts of plain values.

    Every option of every section is filled in and checked; no data file is read.
    Raises RecipeError if there is no such recipe, or a section, part, option or value is not allowed.

    >>> load_recipe("bern-6", ["encoder=lite"])["encoder"]["name"]
    'lite'
    """
    return check(read_recipe(str(name_or_path), overrides))


def check_sections(recipe: Recipe, sections: Sequence[str]) -> Recipe:
    """Fill in and check only these sections, for example for your own captioner, which has no whole recipe."""
    return {section: _checked(section, recipe.get(section, {})) for section in sections}
