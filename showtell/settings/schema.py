"""The signature of a part -> the options it takes, and the errors about them.

For example, `def beam(..., *, num_beams: Count = 5)` takes `num_beams`, a whole number of at least 1.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest

TAKES = {  # pydantic's name of the mistake -> the words for what the option takes
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
    """The entry `name` of a section's table. Raises RecipeError, with all names of the table, if there is none."""
    if not isinstance(name, str) or name not in table:
        raise RecipeError(key=f"{section}.name", value=name, takes=table, near=nearest(name, table))
    return table[name]


def validated(section: str, name: str | None, function: Callable[..., Any], values: Mapping[str, Any]) -> BaseModel:
    """The options of a section, checked against the signature `function` of its part `name`.

    A fixed section such as `train` has no name. Raises RecipeError for the first wrong option or value.
    """
    schema = schema_of(function)
    given = {key: value for key, value in values.items() if key != "name" or name is None}
    try:
        return schema.model_validate({key: no_number(schema, key, value) for key, value in given.items()})
    except ValidationError as error:
        raise mistake(section, name or section, given, schema, error) from None


@cache
def schema_of(chosen: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of the keyword-only arguments of a function, or of a class's `__init__`."""
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
    """The error for the first mistake that pydantic reports in the options of the part `name`."""
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
        return RecipeError(
            wrong, key=key, takes=allowed, advice="to set a format's options, name the format too, as in data=csv"
        )
    return RecipeError(wrong, key=key, takes=allowed or "no options", near=nearest(option, allowed))


def no_number(schema: type[BaseModel], key: str, value: Any) -> Any:
    """Turn `true` into text if the option takes a number, so that pydantic refuses it.

    In Python true is the number 1; in a recipe, `train.epochs=true` is a mistake.
    """
    if not isinstance(value, bool) or key not in schema.model_fields:
        return value
    option = schema.model_json_schema()["properties"][key]
    kinds = {entry.get("type") for entry in (option, *option.get("anyOf", []))}
    return str(value).lower() if kinds & {"integer", "number"} else value


def _choices(schema: dict[str, Any]) -> list[str]:
    """The words that a Literal allows, and the other types of a union with it; empty if there is no Literal.

    Literal["none", "all"] | int gives ["none", "all", "a whole number"].
    """
    entries = [schema, *schema.get("anyOf", [])]
    words = [str(word) for entry in entries for word in entry.get("enum", [entry["const"]] if "const" in entry else [])]
    others = {"integer": "a whole number", "number": "a number", "null": "null"}
    return words and words + [others[entry["type"]] for entry in entries if entry.get("type") in others]
