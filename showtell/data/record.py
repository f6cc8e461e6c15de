"""The one record that every data format yields, and the list of them that says what it left out and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from showtell.plumbing.messages import printable


@dataclass(frozen=True)
class Record:
    """One image with its reference captions; `references` is empty for photos that nobody captioned."""

    image_id: str
    path: Path
    references: tuple[str, ...]
    split: str  # train, val or test


class LeftOut(NamedTuple):
    """A photo, caption or row that is not used: its name, and why in few words that group (`no such photo`)."""

    name: str
    reason: str


class Records(list[Record]):
    """The usable records of a data set, in its own order; `form` is what the set was taken for, for people."""

    def __init__(self, records: Iterable[Record] = (), *, form: str = "", left_out: Iterable[LeftOut] = ()) -> None:
        super().__init__(records)
        self.form, self.left_out = form, tuple(left_out)


def told(left_out: Iterable[LeftOut]) -> str:
    """What was left out, for one line: counted by reason, each with its first name.

    >>> told([LeftOut("a.jpg", "truncated"), LeftOut("b.jpg", "no such photo"), LeftOut("c.jpg", "truncated")])
    '2 truncated (first: a.jpg), 1 no such photo (first: b.jpg)'
    """
    names: dict[str, list[str]] = {}
    for name, reason in left_out:
        names.setdefault(reason, []).append(name)
    ordered = sorted(names.items(), key=lambda item: -len(item[1]))
    return ", ".join(f"{len(of_reason):,} {reason} (first: {printable(of_reason[0])})" for reason, of_reason in ordered)


def notes(records: Iterable[Record]) -> list[str]:
    """Lines for people before anything is done with a set: what it was taken for, and what was left out."""
    form, left_out = getattr(records, "form", ""), getattr(records, "left_out", ())
    return [f"data: {form}"] * bool(form) + [f"left out: {told(left_out)}"] * bool(left_out)


# The table of formats; it is filled in __init__.py, and `join` reads its sets by it.
DATA: dict[str, Callable[..., list[Record]]] = {}
