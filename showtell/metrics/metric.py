"""What a metric is: tokenized texts -> one row of statistics per image -> the score of any selection of images.

Statistics come first and are aggregated after, so a bootstrap resamples rows and never counts an n-gram twice.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.ngrams import Counts, Ints, References

Rows = NDArray[Any]  # one per image


class Texts:
    """The tokenized candidate and references of each image; their n-grams are counted when first asked for."""

    def __init__(self, candidates: Sequence[str], references: Sequence[Sequence[str]]) -> None:
        self.candidates = candidates
        self.references = references

    @cached_property
    def prepared(self) -> References:
        return References(self.references)

    @cached_property
    def counts(self) -> Counts:
        return self.prepared.index.count(self.candidates)

    @cached_property
    def met(self) -> tuple[Ints, Ints]:
        return self.prepared.meet(self.counts, np.arange(len(self.candidates)))


def _mean(rows: Rows) -> float:
    return float(np.mean(rows))


def _as_they_are(rows: Rows) -> Rows:
    return rows


class Metric(NamedTuple):
    """How a number is made; a metric whose value is the mean over the images needs only `statistics`."""

    statistics: Callable[[Texts], Rows]
    aggregate: Callable[[Rows], float] = _mean
    per_image: Callable[[Rows], Rows] = _as_they_are
    facts: str = ""  # what its signature must also say
