"""Captions -> statistics: their number, length, repeats, oddities, and the vocabulary for each `tokenizer.min_count`.

The tokenizer `words` splits the captions, so the vocabulary sizes are the ones that training would have.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from showtell.data.record import Record
from showtell.plumbing.scripts import script, unspaced
from showtell.tokenizers.words import split

MIN_COUNTS = (1, 2, 3, 5, 10)
GIVE_UP = 0.02  # a smaller vocabulary may turn at most this share of all words into unk
FEW = 2  # a caption of so few words says little
SPECIAL = 2  # bos and eos: decode.max_length counts them too
# UTF-8 that was decoded as Windows-1252: `Ã©` instead of é, `â€™` instead of an apostrophe.
MISREAD = re.compile("[ÂÃ][\u0080-\u00bf]|â€|\ufffd")
MARKUP = re.compile(r"</?[a-z][^<>]*>|&(?:#\d+|[a-z]+);", re.IGNORECASE)


class Spread(NamedTuple):
    """The minimum, median, 95th percentile and maximum of some numbers."""

    least: int
    median: int
    most_of_them: int
    most: int


class Vocabulary(NamedTuple):
    """What one `tokenizer.min_count` keeps. For example, 3 keeps the words that training has three times or more."""

    min_count: int
    words: int
    covered: float  # share of training's words that are in the vocabulary
    unknown: float | None  # share of validation's words that are not in it; None if there is no validation


@dataclass(frozen=True)
class Captions:
    """The statistics of all captions of a data set."""

    per_photo: Spread
    words: Spread
    repeated: int  # captions with the same words as another caption of their photo
    repeated_photos: int  # photos that have such captions
    seen_in_train: Mapping[str, tuple[int, int]]  # "val" or "test" -> (its captions that train has too, all of them)
    odd: Mapping[str, Sequence[tuple[str, str]]]  # what is odd -> (image_id, caption)
    unspaced: str | None  # what to tell about captions without blanks between words
    scripts: Mapping[str, int]  # "Latin" -> captions with Latin letters
    lengths: Mapping[int, int]  # number of words -> captions of that length, shortest first
    vocabularies: Sequence[Vocabulary]

    def longer(self, words: int) -> int:
        return sum(captions for length, captions in self.lengths.items() if length > words)

    @property
    def min_count(self) -> int | None:
        """The suggested `tokenizer.min_count`: the largest that turns at most 2 % more words into unk than 2 does.

        The share is measured on validation, or on training if there is no validation. If unk is 1 % of validation's
        words for min_count 2, 2.5 % for 3 and 4 % for 5, the suggestion is 3. The baseline is 2, not 1, because a
        model learns nothing from a word that it sees once.
        """
        if not self.vocabularies:
            return None
        least = self.vocabularies[1]
        lost = [
            least.covered - v.covered if v.unknown is None or least.unknown is None else v.unknown - least.unknown
            for v in self.vocabularies
        ]
        return max(v.min_count for v, loss in zip(self.vocabularies, lost, strict=True) if loss <= GIVE_UP)


def read_captions(records: Sequence[Record]) -> Captions | None:
    """None if no photo has a caption."""
    captioned = [record for record in records if record.references]
    if not captioned:
        return None
    words = {text: tuple(split(text)) for text in {text for record in captioned for text in record.references}}
    lengths = [len(words[text]) for record in captioned for text in record.references]
    doubles = [len(r.references) - len({words[text] for text in r.references}) for r in captioned]
    return Captions(
        per_photo=_spread([len(record.references) for record in captioned]),
        words=_spread(lengths),
        repeated=sum(doubles),
        repeated_photos=sum(double > 0 for double in doubles),
        seen_in_train=_seen_in_train(captioned, words),
        odd=_odd(captioned, words),
        unspaced=unspaced(text for record in captioned for text in record.references),
        scripts=_scripts(captioned),
        lengths=dict(sorted(Counter(lengths).items())),
        vocabularies=_vocabularies(captioned, words),
    )


def _spread(numbers: Sequence[int]) -> Spread:
    """
    >>> _spread([3, 9, 5, 5, 7])
    Spread(least=3, median=5, most_of_them=9, most=9)
    """
    ordered = sorted(numbers)
    middle, most_of_them = ((len(ordered) - 1) // 2, -(-len(ordered) * 95 // 100) - 1)
    return Spread(ordered[0], ordered[middle], ordered[most_of_them], ordered[-1])


def _of(records: Sequence[Record], name: str) -> list[str]:
    return [text for record in records if record.split == name for text in record.references]


def _seen_in_train(records: Sequence[Record], words: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[int, int]]:
    train = {words[text] for text in _of(records, "train")}
    others = {name: _of(records, name) for name in ("val", "test")}
    return {
        name: (sum(words[text] in train for text in texts), len(texts))
        for name, texts in others.items()
        if texts and train
    }


def _odd(records: Sequence[Record], words: Mapping[str, tuple[str, ...]]) -> dict[str, list[tuple[str, str]]]:
    odd: dict[str, list[tuple[str, str]]] = {}
    for record in records:
        for text in record.references:
            for what in _odd_in(text, len(words[text])):
                odd.setdefault(what, []).append((record.image_id, text))
    return dict(sorted(odd.items(), key=lambda item: -len(item[1])))


def _odd_in(text: str, words: int) -> Iterator[str]:
    if not any(letter.isalpha() for letter in text):
        yield "without a letter"
    elif words <= FEW:
        yield f"of {FEW} words or fewer"
    if MISREAD.search(text):
        yield "in a wrong encoding"
    if not text.isprintable():
        yield "with characters that cannot be printed"
    if MARKUP.search(text):
        yield "with markup"


def _scripts(records: Sequence[Record]) -> dict[str, int]:
    """How many captions have letters of each script, the most common script first.

    >>> from pathlib import Path
    >>> _scripts([Record("a", Path("a"), ("a dog", "собака", "ein Hündchen"), "train")])
    {'Latin': 2, 'Cyrillic': 1}
    """
    counts = Counter(name for r in records for text in r.references for name in {*map(script, set(text))})
    del counts[""]
    return dict(counts.most_common())


def _vocabularies(records: Sequence[Record], words: Mapping[str, tuple[str, ...]]) -> list[Vocabulary]:
    train, val = (Counter(w for text in _of(records, name) for w in words[text]) for name in ("train", "val"))
    vocabularies = []
    for min_count in MIN_COUNTS if train else ():
        kept = {word for word, count in train.items() if count >= min_count}
        covered = sum(train[word] for word in kept) / train.total()
        unknown = sum(count for word, count in val.items() if word not in kept) / val.total() if val else None
        vocabularies.append(Vocabulary(min_count, len(kept), covered, unknown))
    return vocabularies
