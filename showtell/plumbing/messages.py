"""Names, numbers and lines for people."""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def printable(name: str) -> str:
    """A name on one line, whatever its bytes are: it can neither break the line nor steer the terminal.

    >>> print(printable("two\\nlines"), printable("\\udcff.jpg"), printable("Möwe 7.jpg"))
    two\\nlines \\xff.jpg Möwe 7.jpg
    """
    letters = (
        letter
        if letter.isprintable()
        else f"\\x{ord(letter) - 0xDC00:02x}"  # how Python keeps a byte that is no letter
        if 0xDC80 <= ord(letter) <= 0xDCFF
        else letter.encode("unicode_escape").decode()
        for letter in name
    )
    return "".join(letters)


def count(number: int, thing: str) -> str:
    """
    >>> count(1, "photo"), count(1680, "photo")
    ('1 photo', '1,680 photos')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def nearest(word: object, allowed: Iterable[str]) -> str | None:
    """The allowed name that is nearest to a mistyped one, in any case of letters; None if none is near.

    >>> nearest("cider", ["loss", "BLEU-4", "CIDEr-D"])
    'CIDEr-D'
    """
    names = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(str(word).lower(), names, n=1)
    return names[close[0]] if close else None


def say(console: "Console | None", text: str) -> None:
    """One line, as it is: a folder may be called [a], or have 200 letters."""
    if console is not None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
