"""Errors about a user's input. An error is data: the key, what is wrong with it, what is allowed, what to do.

Only this file makes a line of text from the data. The command line prints the line and exits with code 2. Parts that
others wrote are cut and made harmless here, whatever a file or a recipe held.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from showtell.plumbing.messages import cut, printable, shown

LONGEST_PART = 1_000  # letters of one part of a message
LONGEST_LIST = 3_000  # and of the names of a table, or of an advice with commands


class ShowtellError(ValueError):
    """A mistake in what the user asked for or gave: what is wrong, what is allowed, and what to do.

    Without a `key`, `wrong` starts the line. With a `key`, the line starts with the key, then `wrong`; by default
    `wrong` says that the key has `value`.

    >>> print(RecipeError("is not an option of 'beam'", key="decode.num_beam", takes=["num_beams"], near="num_beams"))
    decode.num_beam is not an option of 'beam'; it takes num_beams (did you mean num_beams?)
    >>> print(RecipeError(key="decode.num_beams", value=0, takes="a whole number of at least 1"))
    decode.num_beams is 0; it takes a whole number of at least 1
    """

    def __init__(
        self,
        wrong: str | None = None,
        *,
        key: str | None = None,
        value: Any = None,
        takes: str | Iterable[str] | None = None,
        taker: str = "it takes",
        near: str | None = None,
        advice: str | None = None,
        details: Iterable[str] = (),
    ) -> None:
        """`takes` is a description or the allowed names; `taker` comes before it. `near` is the most similar name.

        Each of the `details` gets a line of its own below.
        """
        super().__init__(wrong)
        self.wrong = f"is {shown(value)}" if wrong is None else wrong
        self.details = tuple(details)
        self.key, self.value, self.taker, self.near, self.advice = key, value, taker, near, advice
        self.takes = takes if takes is None or isinstance(takes, str) else tuple(takes)

    def __str__(self) -> str:
        line = f"{_part(str(self.key))} {_part(self.wrong)}" if self.key is not None else _part(self.wrong)
        if self.takes is not None:
            takes = self.takes if isinstance(self.takes, str) else ", ".join(self.takes)
            line += f"; {self.taker} {_part(takes, LONGEST_LIST)}"
        if self.near is not None:
            line += f" (did you mean {_part(self.near)}?)"
        if self.advice is not None:
            line += f"; {_part(self.advice, LONGEST_LIST)}"
        return "\n".join([line, *(f"- {_part(each)}" for each in self.details)])

    def within(self, section: str) -> None:
        """Put the section before the key: a part says `grid_size`, but the user wrote `encoder.grid_size`."""
        if self.key is not None and not self.key.startswith(f"{section}."):
            self.key = f"{section}.{self.key}"


def _part(text: str, most: int = LONGEST_PART) -> str:
    return printable(cut(text, most))


class RecipeError(ShowtellError):
    """A wrong recipe or `key=value`: the key as the user wrote it, its value, what is allowed."""


class InputError(ShowtellError):
    """A file, photo or caption that cannot be used: its name and what is wrong with it."""


class Unreadable(InputError):
    """An image file that cannot be read. `reason` is a few words, the same for all files with this problem."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path.name or path}: {reason}")
        self.reason = reason


class Interrupted(Exception):
    """Ctrl-C or SIGTERM stopped the work, after everything worth keeping was written."""
