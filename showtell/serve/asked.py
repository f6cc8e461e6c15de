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
        decode = _checked(changed(captioner.decode, changes), changes)
        asked = copy.copy(captioner)
        asked.decode = decode
        asked.check_decoding()
    except ShowtellError as error:
        raise Refused(422, str(error)) from None
    return asked


def width(captioner: Captioner) -> int:
    """How many captions of one photo are written at once. Each id of `must` adds a bank with all beams.

    With 5 beams and the words `dog` and `red car`, of one id each: 5 x (1 + 3) = 20.
    """
    if not captioner.decode:
        return 1
    settings = _settings(captioner.decode)
    captions = max(settings.get("num_beams", 1), settings.get("num_return_sequences", 1))
    must = settings.get("must", ())
    return int(captions * (1 + sum(_ids(captioner, phrase) for phrase in must)))


def _ids(captioner: Any, phrase: str) -> int:
    """How many ids the longest way to write a phrase has."""
    return max(map(len, captioner.spelling.forms(phrase).ways), default=0)


def _settings(decode: Mapping[str, Any]) -> dict[str, Any]:
    name = decode["name"]
    return validated("decode", name, choose("decode", STRATEGIES, name), decode).model_dump()


def _checked(decode: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """All settings. What the server's owner chose may be larger than what clients may choose."""
    name, settings = decode["name"], _settings(decode)
    for key in MOST.keys() & changes.keys():
        value, most = settings[key], MOST[key]  # a client's 2e2 is 200 only now
        if isinstance(value, tuple) and len(value) > most:
            raise RecipeError(f"has {len(value)} words and phrases", key=f"decode.{key}", takes=f"at most {most}")
        if isinstance(value, int) and value > most:
            raise RecipeError(key=f"decode.{key}", value=value, takes=f"at most {most} from a client")
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
