"""Names, numbers and lines of text that people read."""

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def printable(name: str) -> str:
    """A file name with its control characters escaped, so that it stays on one line and cannot control the terminal.

    >>> print(printable("two\\nlines"), printable("\\udcff.jpg"), printable("Möwe 7.jpg"))
    two\\nlines \\xff.jpg Möwe 7.jpg
    """
    letters = (
        letter
        if letter.isprintable()
        else f"\\x{ord(letter) - 0xDC00:02x}"  # Python keeps a byte that is no UTF-8 as U+DC80 to U+DCFF
        if 0xDC80 <= ord(letter) <= 0xDCFF
        else letter.encode("unicode_escape").decode()
        for letter in name
    )
    return "".join(letters)


NOT_FETCHED = "Showtell fetches nothing from links: download it, then name it on this disk"


def is_link(name: object) -> bool:
    """Whether somebody gave a link where a path belongs; `Path` makes one slash of two.

    >>> is_link("https://example.com/cat.jpg"), is_link("s3:/bucket/cat.jpg"), is_link("C:/cat.jpg")
    (True, True, False)
    """
    return bool(re.match("[a-z][a-z0-9+]+:/", str(name), re.IGNORECASE))


def count(number: int, thing: str) -> str:
    """A number with its noun in singular or plural.

    >>> count(1, "photo"), count(1680, "photo")
    ('1 photo', '1,680 photos')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def nearest(word: object, allowed: Iterable[str]) -> str | None:
    """The allowed name that is most similar to a mistyped one, ignoring case; None if no name is similar.

    >>> nearest("cider", ["loss", "BLEU-4", "CIDEr-D"])
    'CIDEr-D'
    """
    names = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(str(word).lower(), names, n=1)
    return names[close[0]] if close else None


def say(console: "Console | None", text: str) -> None:
    """Print one line unchanged: rich must neither read a folder [a] as markup nor wrap long names."""
    if console is not None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
