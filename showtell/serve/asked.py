"""Form fields such as `decode.num_beams=3` -> checked decoding, with the names and errors of the command line."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from showtell.captioners.captioner import Captioner
from showtell.captioners.speaking import changed
from showtell.decode import STRATEGIES
from showtell.decode import check as check_ranges
from showtell.plumbing.errors import RecipeError, ShowtellError
from showtell.serve.limits import MOST, Limits, Refused
from showtell.settings.schema import choose, validated

LISTS = ("must", "must_not")


def read_fields(fields: Sequence[tuple[str, str]], limits: Limits) -> dict[str, Any]:
    """The changes of a decode section. `decode=greedy` names the strategy; `decode.must=dog` may come several times."""
    changes: dict[str, Any] = {}
    for key, text in fields:
        section, _, option = key.partition(".")
        if section != "decode":
            raise Refused(422, f"{key[:60]!r} is not a field; it takes file, model, maps, decode and decode.OPTION")
        if len(text) > limits.words:
            raise Refused(422, f"{key[:60]} has {len(text)} characters; at most {limits.words} are taken")
        if option in LISTS:
            changes.setdefault(option, []).append(text)
        else:
            changes[option or "name"] = _value(text)
    return changes


def driven(captioner: Captioner, changes: Mapping[str, Any]) -> Captioner:
    """The same captioner, which decodes with the changes; its weights are shared. Raises Refused with status 422."""
    if not changes:
        return captioner
    if not captioner.decode:
        raise Refused(422, f"captioner {captioner.name!r} has no decoding options")
    try:
        decode = _checked(changed(captioner.decode, changes))
        asked = copy.copy(captioner)
        asked.decode = decode
        asked.check_decoding()
    except ShowtellError as error:
        raise Refused(422, str(error)) from None
    return asked


def _checked(decode: Mapping[str, Any]) -> dict[str, Any]:
    name = decode["name"]
    strategy = choose("decode", STRATEGIES, name)
    for key, most in MOST.items():
        if isinstance(value := decode.get(key), int) and value > most:
            raise RecipeError(key=f"decode.{key}", value=value, takes=f"at most {most} from a client")
    settings = validated("decode", name, strategy, decode).model_dump()
    check_ranges(**settings)
    return {
        "name": name,
        **{key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()},
    }


def _value(text: str) -> Any:
    """A number, true, false, or else the text. Not YAML: a stranger wrote it."""
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
