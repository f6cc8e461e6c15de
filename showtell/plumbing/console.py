"""The terminal and tables: text that others wrote is shown as text, whatever it holds.

A vocabulary may hold a terminal's commands, a file name `[red]` or `:x:`, a caption `=1+1`. rich would read the second
as a colour and the third as a picture, and a spreadsheet would compute the last.
"""

import re
from typing import Any

from rich.console import Console
from rich.text import Text

from showtell.plumbing.messages import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


class Plain(Console):
    """A console that prints each text as it is written, with control characters escaped. `markup=True` is for ours."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False} | options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)


def plain(text: str) -> str:
    r"""Lines of text with control characters escaped.

    >>> print(plain("a \x1b[31mdog"))
    a \x1b[31mdog
    """
    return text if text.isprintable() else "\n".join(printable(line) for line in text.split("\n"))


def cell(value: Any) -> Any:
    """A value for a CSV. What a spreadsheet would compute gets an apostrophe, which `of_cell` removes again.

    >>> cell("a dog"), cell("=1+1"), cell("-0.5")
    ('a dog', "'=1+1", '-0.5')
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def of_cell(text: str) -> str:
    """
    >>> of_cell("'=1+1"), of_cell("'quoted'")
    ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.lstrip("'").startswith(FORMULA) and NUMBER.fullmatch(text) is None
