"""Record: one photo with its captions, the same for all formats. Records: a list of them, and what was skipped."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from showtell.plumbing.messages import printable


@dataclass(frozen=True)
class Record:
    """One image with its reference captions. `references` is empty if the photo has no captions."""

    image_id: str
    path: Path
    references: tuple[str, ...]
    split: str  # train, val or test


class LeftOut(NamedTuple):
    """A skipped photo, caption or row: its name, and a short reason such as `no such photo`. Reasons are counted."""

    name: str
    reason: str


class Records(list[Record]):
    """The usable records of a data set in its order. `form` describes the detected format, for messages."""

    def __init__(self, records: Iterable[Record] = (), *, form: str = "", left_out: Iterable[LeftOut] = ()) -> None:
        super().__init__(records)
        self.form, self.left_out = form, tuple(left_out)


def told(left_out: Iterable[LeftOut]) -> str:
    """What was skipped, in one line: a count for each reason, with the first name.

    >>> told([LeftOut("a.jpg", "truncated"), LeftOut("b.jpg", "no such photo"), LeftOut("c.jpg", "truncated")])
    '2 truncated (first: a.jpg), 1 no such photo (first: b.jpg)'
    """
    names: dict[str, list[str]] = {}
    for name, reason in left_out:
        names.setdefault(reason, []).append(name)
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return ", ".join(f"{len(of_reason):,} {reason} (first: {printable(of_reason[0])})" for reason, of_reason in ordered)


def notes(records: Iterable[Record]) -> list[str]:
    """Lines to print before a data set is used: its format, and what was skipped."""
    form, left_out = getattr(records, "form", ""), getattr(records, "left_out", ())
    return [f"data: {form}"] * bool(form) + [f"skipped: {told(left_out)}"] * bool(left_out)


# The table of formats. `__init__.py` fills it; `join` needs it here to read its sets.
DATA: dict[str, Callable[..., list[Record]]] = {}
