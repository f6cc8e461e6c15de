"""Tokenized texts -> their 1- to 4-grams as integers, counted once for all metrics, and found again in the references.

Unusual: everything is one flat table, a row for each different n-gram of each text, so that a whole test set is scored
by a few array operations, and references prepared once serve any number of candidates (as a reward in training).
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
        """Over the rows of each text and order: values (rows) -> (texts, 4)."""
        sums = np.bincount(self.text * ORDERS + self.order, values, texts * ORDERS)
        return np.asarray(sums, dtype=np.float64).reshape(texts, ORDERS)


class Index:
    """Integers for the n-grams of a collection; n-grams that it lacks get some from `size` on, for one `count` alone.

    The code of an n-gram is the place of its first n - 1 words among their like and its last word, 32 bits each.
    """

    def __init__(self, collection: Sequence[str], beside: Sequence[str] = ()) -> None:
        """The n-grams of texts `beside` the collection get integers too, but are not counted."""
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
        """For each order: the text that each n-gram stands in, its place among the known ones or beyond them."""
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
                self._known.append(np.append(distinct(codes), _LAST))  # the last is never met, but ends each search
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
    """The place of each code among the known ones; of the unknown ones the places after those."""
    places = np.searchsorted(known, codes)
    missing = known[places] != codes
    places[missing] = len(known) + np.unique(codes[missing], return_inverse=True)[1]
    return places


def distinct(values: Ints) -> Ints:
    """The different values, none below 0, in order: several times faster than np.unique, which hashes."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=-1) != 0]


class References:
    """The references of each image, ready for candidates to be compared with.

    N-grams of the `corpus` are known too: what is rare in it may be said where no reference says it.
    """

    def __init__(self, texts: Sequence[Sequence[str]], corpus: Sequence[Sequence[str]] | None = None) -> None:
        flat = [text for of_image in texts for text in of_image]
        self.index = Index(flat, [text for of_image in corpus or () for text in of_image])
        self.many = np.array([len(of_image) for of_image in texts], dtype=np.int64)  # references of each image
        self.first = np.cumsum(self.many) - self.many
        self.image = np.repeat(np.arange(len(texts)), self.many)  # of each reference
        self.lengths = np.array([len(text.split()) for text in flat], dtype=np.int64)
        counts = self.index.counts
        keys = self.image[counts.text] * self.index.size + counts.gram
        ordered = np.argsort(keys, kind="stable")
        self._keys = keys[ordered]
        self.counts = Counts(*(column[ordered] for column in counts))

    def meet(self, candidates: Counts, images: Ints) -> tuple[Ints, Ints]:
        """Every pair of rows, one of the candidates and one of the references of the same image, with one n-gram.

        `images` (texts) are the places of the images that the candidate texts describe.
        """
        rows = np.flatnonzero(candidates.gram < self.index.size)
        keys = images[candidates.text[rows]] * self.index.size + candidates.gram[rows]
        start, end = np.searchsorted(self._keys, keys), np.searchsorted(self._keys, keys, side="right")
        met = end - start
        theirs = np.repeat(end - np.cumsum(met), met) + np.arange(met.sum())
        return np.repeat(rows, met), theirs
