"""A callable's signature -> the options it takes, and how errors about them are worded."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest

TAKES = {  # what pydantic found wrong -> what the option takes
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "too_short": "a list of at least {min_length}",
    "dict_type": "a mapping, as {{CIDEr-D: 1}}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le:g} or less",
}


def choose(section: str, table: Mapping[str, Any], name: Any) -> Any:
    """The entry of a section's table; RecipeError, with the names that it has, for another."""
    if not isinstance(name, str) or name not in table:
        raise RecipeError(key=f"{section}.name", value=name, takes=table, near=nearest(name, table))
    return table[name]


def validated(section: str, name: str | None, function: Callable[..., Any], values: Mapping[str, Any]) -> BaseModel:
    """The options of a section, typed as the signature of its part `name` has them; a fixed section has no name."""
    schema = schema_of(function)
    given = {key: value for key, value in values.items() if key != "name" or name is None}
    try:
        return schema.model_validate({key: no_number(schema, key, value) for key, value in given.items()})
    except ValidationError as error:
        raise mistake(section, name or section, given, schema, error) from None


@cache
def schema_of(chosen: Callable[..., Any]) -> type[BaseModel]:
    function = chosen.__init__ if inspect.isclass(chosen) else chosen
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(chosen).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return create_model("Options", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)


def mistake(
    section: str, name: str, given: Mapping[str, Any], schema: type[BaseModel], error: ValidationError
) -> RecipeError:
    """The first thing that pydantic found wrong in the options of the part `name`."""
    problem = error.errors()[0]
    option, kind = str(problem["loc"][0]), problem["type"]
    key = f"{section}.{option}"
    if kind in ("extra_forbidden", "invalid_key"):
        return _unknown(key, option, name, list(schema.model_fields))
    if kind == "missing":
        return RecipeError(f"is missing: {name!r} needs it", key=key, advice=f"give {key}=VALUE")
    value = given[option]
    choices = _choices(schema.model_json_schema()["properties"][option])
    if choices:
        return RecipeError(key=key, value=value, takes=choices, taker=f"{name!r} takes", near=nearest(value, choices))
    takes = problem["msg"].removeprefix("Input should be ")
    if kind in TAKES:
        takes = TAKES[kind].format(**problem.get("ctx", {}))
    if kind == "tuple_type" and isinstance(value, str | int | float):
        takes += f": [{value}]"
    if len(problem["loc"]) > 1 and isinstance(value, list):
        takes = f"a list in which each is {takes}"
    return RecipeError(key=key, value=value, takes=takes)


def _unknown(key: str, option: str, name: str, allowed: list[str]) -> RecipeError:
    wrong = f"is not an option of {name!r}"
    if name == "auto":
        return RecipeError(wrong, key=key, takes=allowed, advice="to set a format's options name it, as in data=csv")
    return RecipeError(wrong, key=key, takes=allowed or "no options", near=nearest(option, allowed))


def no_number(schema: type[BaseModel], key: str, value: Any) -> Any:
    """True and false are numbers in Python, and a slip where a recipe wants a number: as text they are refused."""
    if not isinstance(value, bool) or key not in schema.model_fields:
        return value
    option = schema.model_json_schema()["properties"][key]
    kinds = {entry.get("type") for entry in (option, *option.get("anyOf", []))}
    return str(value).lower() if kinds & {"integer", "number"} else value


def _choices(schema: dict[str, Any]) -> list[str]:
    """The words that a Literal allows, and what else may stand in its place; nothing where there is no Literal."""
    found = [schema, *schema.get("anyOf", [])]
    words = [str(word) for entry in found for word in entry.get("enum", [entry["const"]] if "const" in entry else [])]
    others = {"integer": "a whole number", "number": "a number", "null": "null"}
    return words and words + [others[entry["type"]] for entry in found if entry.get("type") in others]
