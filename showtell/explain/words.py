"""The ids of a caption -> its words, and which of them share a panel.

A word may have several ids: `gira` and `ffe`. Only `decode` knows what joins what, so the texts of the first 1, 2 and 3
ids are compared: `a` | `a gira` | `a giraffe`. What begins behind a space is a new word.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

# They name nothing that could be pointed at. `above` and `between` are not among them: they have a place in the photo.
_FUNCTION_WORDS = """
    a an the this that these those some any each every all both no and or but nor of in on at to from with without by
    for as into onto through across around along up down out off is are was were be been being am has have had do does
    did it its he him his she her they them their there here who whom whose which what while when where than then so
    very also not other another one
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
INSIDE_A_WORD = "-'’"


class Word(NamedTuple):
    """A word and the numbers of its ids in the caption: `giraffe` has (1, 2) in `a gira ffe`."""

    text: str
    ids: tuple[int, ...]

    @property
    def names_something(self) -> bool:
        """Whether it is a content word: no function word, no punctuation.

        >>> [Word(text, (0,)).names_something for text in ("dog", "the", ".")]
        [True, False, False]
        """
        return bool(re.search(r"\w", self.text)) and self.text.lower() not in FUNCTION_WORDS


class Panel(NamedTuple):
    """One map of a picture: the words on it, of which number `at` is the one whose map it is."""

    words: tuple[str, ...]
    at: int
    number: int  # of the word in the caption


def into_words(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[Word]:
    """The words of a caption. `decode` gives the text of some ids.

    >>> letters = {1: "a", 2: " gira", 3: "ffe", 4: "."}
    >>> into_words([1, 2, 3, 4], lambda ids: "".join(letters[i] for i in ids))
    [Word(text='a', ids=(0,)), Word(text='giraffe', ids=(1, 2)), Word(text='.', ids=(3,))]
    """
    found: list[tuple[int, list[int]]] = []  # where a word begins in the text, and its ids
    before = ""
    for number in range(len(ids)):
        text = decode(ids[: number + 1])
        same = _shared(before, text)
        own = [number]
        # An id may change what stood before it: `t -` becomes `t-shirt`. Then words from there on are one with it.
        while found and same < len(before) and found[-1][0] >= same:
            own = found.pop()[1] + own
        if not found or _begins(text, same):
            found.append((same, own))
        else:
            found[-1][1].extend(own)
        before = text
    ends = [start for start, _ in found[1:]] + [len(before)]
    return [Word(before[start:end].strip(), tuple(own)) for (start, own), end in zip(found, ends, strict=False)]


def _shared(one: str, other: str) -> int:
    """How many letters two texts begin with together."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _begins(text: str, place: int) -> bool:
    """Whether a word begins at this place: behind a space, or with punctuation."""
    added = text[place:]
    if not added or not added.strip():
        return False
    if place == 0 or added[0].isspace() or text[place - 1].isspace():
        return True
    first, last = added[0], text[place - 1]
    if first in INSIDE_A_WORD or last in INSIDE_A_WORD:
        return False
    return first.isascii() and last.isascii() and first.isalnum() != last.isalnum()


def panels(words: Sequence[str], chosen: Sequence[int] | None = None) -> list[Panel]:
    """The panels of a caption. A function word shares the panel of the next content word, or else of the one before.

    >>> [panel.words for panel in panels(["a", "dog", "on", "the", "grass", "."])]
    [('a', 'dog'), ('on', 'the', 'grass', '.')]

    With `chosen`, each of the chosen words has a panel for itself.
    """
    if chosen is not None:
        return [Panel((words[number],), 0, number) for number in chosen]
    content = [n for n, text in enumerate(words) if Word(text, ()).names_something]
    if not content:
        return [Panel((text,), 0, number) for number, text in enumerate(words)]
    found, start = [], 0
    for number in content:
        end = number + 1 if number != content[-1] else len(words)
        found.append(Panel(tuple(words[start:end]), number - start, number))
        start = end
    return found


def numbers_of(words: Sequence[str], wanted: Sequence[str]) -> tuple[list[int], list[str]]:
    """The numbers of the wanted words in a caption, in its order, and the wanted words that it does not say.

    >>> numbers_of(["a", "dog", "and", "a", "cat"], ["Dog", "a", "horse"])
    ([0, 1, 3], ['horse'])
    """
    said = [text.lower() for text in words]
    asked = [text.lower() for text in wanted]
    missing = [text for text, low in zip(wanted, asked, strict=True) if low not in said]
    return [number for number, text in enumerate(said) if text in asked], missing
