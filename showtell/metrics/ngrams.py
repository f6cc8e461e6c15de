"""Tokenized texts -> their 1- to 4-grams as integers, counted once for all metrics and looked up in the references.

Unusual: all counts are one flat table with a row for each different n-gram of each text. "a dog a" has 5 rows: "a"
(twice), "dog", "a dog", "dog a", "a dog a". So a few array operations score a whole test set, and references that are
prepared once serve any number of candidates (for example as a reward in training).
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
ORDERS = 4  # n-grams of 1 to 4 words
_LAST = np.iinfo(np.int64).max


class Counts(NamedTuple):
    """A row for each different n-gram of each text: the text's place, the n-gram, n - 1, how often it occurs there."""

    text: Ints
    gram: Ints
    order: Ints
    times: Ints

    def sums(self, values: NDArray[Any], texts: int) -> NDArray[np.float64]:
        """Add up the values (rows) of each text and order -> (texts, 4)."""
        sums = np.bincount(self.text * ORDERS + self.order, values, texts * ORDERS)
        return np.asarray(sums, dtype=np.float64).reshape(texts, ORDERS)


class Index:
    """Integers for the n-grams of a collection. Other n-grams get integers from `size` on, valid for one `count` only.

    The code of an n-gram is two numbers of 32 bits: the place of its first n - 1 words among the known (n-1)-grams, and
    its last word. If "a dog" has place 7 and "runs" is word 3, "a dog runs" has the code 7 << 32 | 3.
    """

    def __init__(self, collection: Sequence[str], beside: Sequence[str] = ()) -> None:
        """N-grams of the texts `beside` get integers too, but no rows in `counts`."""
        self._words: dict[str, int] = {}
        self._known: list[Ints] = []
        spelled = self._spell([text.split() for text in (*collection, *beside)], learn=True)
        self._first = np.cumsum([0, *map(len, self._known)])
        self.size = int(self._first[-1])
        ends = [np.searchsorted(owner, len(collection)) for owner, _ in spelled]
        self.counts = self._table([(o[:end], places[:end]) for (o, places), end in zip(spelled, ends, strict=True)])

    def count(self, texts: Sequence[str]) -> Counts:
        return self._table(self._spell([text.split() for text in texts], learn=False))

    def _spell(self, texts: Sequence[Sequence[str]], learn: bool) -> list[tuple[Ints, Ints]]:
        """For each order: the text of each n-gram, and its place among the known n-grams (after them if unknown)."""
        known, others = self._words, defaultdict[str, int](count(len(self._words)).__next__)
        words = np.array([known[w] if w in known else others[w] for text in texts for w in text], dtype=np.int64)
        lengths = [len(text) for text in texts]
        owner = np.repeat(np.arange(len(texts)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words from here to the text's end
        places, spelled = np.zeros_like(words), []
        if learn:
            self._words = dict(others)
        for order in range(ORDERS):
            at = np.flatnonzero(left > order)
            codes = places[at] << 32 | words[at + order]
            if learn:
                self._known.append(np.append(distinct(codes), _LAST))  # `_LAST` keeps each search inside the array
            places[at] = _find(codes, self._known[order])
            spelled.append((owner[at], places[at]))
        return spelled

    def _table(self, spelled: list[tuple[Ints, Ints]]) -> Counts:
        owners, grams = [], []
        for order, (owner, places) in enumerate(spelled):
            beyond = places - len(self._known[order])
            owners.append(owner)
            grams.append(np.where(beyond < 0, self._first[order] + places, self.size + ORDERS * beyond + order))
        owner, gram = np.concatenate(owners), np.concatenate(grams)
        width = max(self.size, gram.max(initial=0) + 1)
        rows, times = np.unique(owner * width + gram, return_counts=True)
        text, gram = np.divmod(rows, width)
        known = np.searchsorted(self._first, gram, side="right") - 1
        return Counts(text, gram, np.where(gram < self.size, known, (gram - self.size) % ORDERS), times)


def _find(codes: Ints, known: Ints) -> Ints:
    """The place of each code among the known codes. Unknown codes get the places after those."""
    places = np.searchsorted(known, codes)
    missing = known[places] != codes
    places[missing] = len(known) + np.unique(codes[missing], return_inverse=True)[1]
    return places


def distinct(values: Ints) -> Ints:
    """The different values (at least 0) in order. Several times faster than np.unique, which hashes."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=-1) != 0]


class References:
    """The references of each image, ready to be compared with candidates.

    N-grams of the `corpus` get integers too: a candidate may use one that no reference has, and its rarity counts.
    """

    def __init__(self, texts: Sequence[Sequence[str]], corpus: Sequence[Sequence[str]] | None = None) -> None:
        flat = [text for of_image in texts for text in of_image]
        self.index = Index(flat, [text for of_image in corpus or () for text in of_image])
        self.many = np.array([len(of_image) for of_image in texts], dtype=np.int64)  # references of each image
        self.first = np.cumsum(self.many) - self.many
        self.image = np.repeat(np.arange(len(texts)), self.many)  # the image of each reference
        self.lengths = np.array([len(text.split()) for text in flat], dtype=np.int64)
        counts = self.index.counts
        keys = self.image[counts.text] * self.index.size + counts.gram
        ordered = np.argsort(keys, kind="stable")
        self._keys = keys[ordered]
        self.counts = Counts(*(column[ordered] for column in counts))

    def meet(self, candidates: Counts, images: Ints) -> tuple[Ints, Ints]:
        """All pairs of a candidate's row and a reference's row that have the same n-gram and the same image.

        `images` (texts) gives the place of the image that each candidate describes.
        """
        rows = np.flatnonzero(candidates.gram < self.index.size)
        keys = images[candidates.text[rows]] * self.index.size + candidates.gram[rows]
        start, end = np.searchsorted(self._keys, keys), np.searchsorted(self._keys, keys, side="right")
        met = end - start
        theirs = np.repeat(end - np.cumsum(met), met) + np.arange(met.sum())
        return np.repeat(rows, met), theirs
