"""Captions <-> words exactly as the Bern course's hand-out numbers them, so that its checkpoints and ours agree.

It differs from `words` in three ways. The text is cut before its last period. Letters become small after spaCy split
the text. Words are numbered in the order in which they reach `min_count` in the captions file. Example with min_count
2: in `a dog . a cat . cat dog` the words reach 2 as a, cat, dog, so these get the ids 4, 5, 6.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import TEXT, read_text
from showtell.tokenizers import storage
from showtell.tokenizers.captions import sound
from showtell.tokenizers.words import Words, english

PAD, SOS, EOS, UNK = SPECIAL = ("<PAD>", "<SOS>", "<EOS>", "<UNK>")
COLUMN = "caption"


class Bern(Words):
    """`file` is the course's vocabulary_captions.txt; without it, the words come from the training captions."""

    def __init__(self, *, file: str | None = None, min_count: Annotated[int, Field(ge=1)] = 5) -> None:
        self.file = file
        super().__init__(min_count=min_count)

    def _set(self, words: Sequence[str]) -> None:
        super()._set(words)
        self.words[: len(SPECIAL)] = SPECIAL
        self.ids = {word: index for index, word in enumerate(self.words)}

    def fit(self, captions: Sequence[str]) -> "Bern":
        """Number the words of `file`, or of the captions if there is none."""
        read = captions if self.file is None else read_column(Path(self.file), COLUMN)
        self._set([word for word in in_order(map(split, read), self.min_count) if word not in SPECIAL])
        if len(self) == len(SPECIAL):
            wrong = f"is {self.min_count}, but no word of {len(read):,} captions occurs so often"
            advice = "set a smaller number"
            raise InputError(wrong, key="tokenizer.min_count", value=self.min_count, advice=advice)
        return self

    def encode(self, caption: str) -> list[int]:
        return [self.ids.get(word, self.ids[UNK]) for word in split(caption)]

    def save(self, folder: Path) -> None:
        content = {"name": "bern", "min_count": self.min_count, "words": self.words[len(SPECIAL) :]}
        storage.write_json(folder / self.file_name, content)


def split(caption: str) -> list[str]:
    """The words of a caption up to its last period. Runs of spaces are words too.

    >>> split("A dog runs ."), split("A St. Bernard runs")
    (['a', 'dog', 'runs'], ['a', 's'])
    """
    text = sound(caption)
    if "." in text:
        text = text[: max(0, text.rindex(".") - 1)]
    return [token.text.lower() for token in english()(text)]


def in_order(captions: Iterable[Sequence[str]], count: int) -> list[str]:
    """The words that occur `count` times, in the order in which they reach that number.

    >>> in_order([["a", "dog"], ["a", "cat"], ["cat", "dog"]], 2)
    ['a', 'cat', 'dog']
    """
    seen: Counter[str] = Counter()
    reached = []
    for word in (word for caption in captions for word in caption):
        seen[word] += 1
        if seen[word] == count:
            reached.append(word)
    return reached


def read_column(path: Path, column: str | None = None, number: int = 1) -> list[str]:
    """The texts of one column of a CSV with a header, unchanged; by name, or by number if `column` is None."""
    try:
        header, *rows = list(csv.reader(io.StringIO(read_text(path, TEXT), newline=""))) or [[]]
    except csv.Error as error:
        raise InputError(f"cannot be read: {error}", key=str(path)) from None
    if column is not None:
        if column not in header:
            raise InputError(f"has no column {column!r} in its first line", key=str(path), takes=header, taker="it has")
        number = header.index(column)
    return [row[number] for row in rows if len(row) > number]
