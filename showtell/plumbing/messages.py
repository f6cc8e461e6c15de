"""Names, numbers and lines of text that people read.

Text that others wrote (a name, a caption, a value of a recipe) may hold a terminal's commands, or millions of letters.
`printable` makes it harmless, and `shown` and `cut` make it short.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_VALUE = 200  # letters of a value in a message


def printable(name: str) -> str:
    """Text of others with control characters escaped: it stays on one line and cannot command the terminal.

    >>> print(printable("two\\nlines"), printable("\\udcff.jpg"), printable("Möwe 7.jpg"))
    two\\nlines \\xff.jpg Möwe 7.jpg
    """
    if name.isprintable():
        return name
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


class _Short(reprlib.Repr):
    """`repr` of any value in a bounded time: of a container only the first items, of a number only its digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, LONGEST_VALUE, LONGEST_VALUE
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 12

    def repr_int(self, value: int, level: int) -> str:
        return repr(value) if value.bit_length() < 128 else f"a number of {value.bit_length():,} bits"


def shown(value: object) -> str:
    """A value of others as in a message: `repr`, cut if it is long, also if the value holds itself.

    >>> shown("lite"), shown([1] * 1000), shown(10 ** 5000)
    ("'lite'", '[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ...]', 'a number of 16,610 bits')
    """
    return cut(_Short().repr(value), LONGEST_VALUE)


def cut(text: str, most: int) -> str:
    """The text, or its two ends if it has more than `most` letters.

    >>> cut("a photo of a dog", 16), cut("a photo of a dog", 11)
    ('a photo of a dog', 'a ph ... dog')
    """
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[:half]} ... {text[len(text) - half + 1 :]}"


def count(number: int, thing: str, things: str | None = None) -> str:
    """A number with its noun in singular or plural.

    >>> count(1, "photo"), count(1680, "photo"), count(2, "process", "processes")
    ('1 photo', '1,680 photos', '2 processes')
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


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
