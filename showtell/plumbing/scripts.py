"""Texts -> the script that they are written in, and whether it has blanks between words."""

import unicodedata
from collections.abc import Iterable
from functools import cache

# Scripts without blanks between words -> letters between two blanks, above which a caption is not cut into words.
# `一只 狗 在 草地 上` is cut; `一只狗在草地上` is not.
UNSPACED = {"Cjk": 4, "Hiragana": 4, "Katakana": 8, "Thai": 10, "Lao": 10, "Khmer": 10, "Myanmar": 10, "Tibetan": 12}
LANGUAGES = {"Cjk": "Chinese", "Hiragana": "Japanese", "Katakana": "Japanese", "Myanmar": "Burmese"}
SHARE = 0.1  # of the captions, from which it is worth a warning


@cache
def script(letter: str) -> str:
    """The first word of a letter's Unicode name: `Cyrillic` for `CYRILLIC SMALL LETTER A`. Empty if not a letter."""
    if letter.isascii():
        return "Latin" if letter.isalpha() else ""
    return unicodedata.name(letter, "").partition(" ")[0].capitalize() if letter.isalpha() else ""


def without_blanks(caption: str) -> str:
    """The script of a caption that has no blanks between its words; empty if it has them.

    >>> without_blanks("一只狗在草地上奔跑"), without_blanks("一只 狗 在 草地 上"), without_blanks("a dog")
    ('Cjk', '', '')
    """
    if caption.isascii():
        return ""
    for piece in caption.split():
        scripts = [name for letter in piece if (name := script(letter)) in UNSPACED]
        if scripts and len(scripts) > UNSPACED[scripts[0]]:
            return scripts[0]
    return ""


def unspaced(captions: Iterable[str]) -> str | None:
    """What to tell about captions without blanks between words; None if at most one in ten is written so.

    >>> unspaced(["一只狗在草地上奔跑", "一只猫坐在窗台上"])
    '2 of 2 captions have no blanks between words (Chinese)'
    """
    found, total = dict[str, int](), 0
    for caption in captions:
        total += 1
        if name := without_blanks(caption):
            found[name] = found.get(name, 0) + 1
    many = sum(found.values())
    if not many or many < SHARE * total:
        return None
    names = ", ".join(dict.fromkeys(LANGUAGES.get(name, name) for name in found))
    return f"{many:,} of {total:,} captions have no blanks between words ({names})"
