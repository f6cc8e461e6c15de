"""How a user's input can be wrong. An error is data: what is wrong with which key, what is allowed, what to do.

The words are put together here and nowhere else. The command line prints them as one line and exits with code 2.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from showtell.plumbing.messages import printable


class ShowtellError(ValueError):
    """A mistake in what was asked for or handed in: says what, what is allowed, and what to do.

    `wrong` alone is the whole line. With a `key` it says what is wrong with that key; by default, that it has `value`.

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
    ) -> None:
        """`takes` is a description, or the allowed names; `taker` leads it. `near` is the name that may be meant."""
        super().__init__(wrong)
        self.wrong = f"is {value!r}" if wrong is None else wrong
        self.key, self.value, self.taker, self.near, self.advice = key, value, taker, near, advice
        self.takes = takes if takes is None or isinstance(takes, str) else tuple(takes)

    def __str__(self) -> str:
        line = f"{printable(str(self.key))} {self.wrong}" if self.key is not None else self.wrong
        if self.takes is not None:
            line += f"; {self.taker} {self.takes if isinstance(self.takes, str) else ', '.join(self.takes)}"
        if self.near is not None:
            line += f" (did you mean {self.near}?)"
        if self.advice is not None:
            line += f"; {self.advice}"
        return line

    def within(self, section: str) -> None:
        """Name the section too: a part says `grid_size`, and the user wrote `encoder.grid_size`."""
        if self.key is not None and not self.key.startswith(f"{section}."):
            self.key = f"{section}.{self.key}"


class RecipeError(ShowtellError):
    """A recipe or a `key=value` that cannot be meant: the key as written, its value, what is allowed."""


class InputError(ShowtellError):
    """A file, photo or caption that cannot be used: its name and what is wrong with it."""


class Unreadable(InputError):
    """A file that gives no picture: its name and a `reason` of few words, the same for all of its kind."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{printable(path.name or str(path))}: {reason}")
        self.reason = reason


class Interrupted(Exception):
    """Stopped by Ctrl-C or SIGTERM, after everything worth keeping was written."""
