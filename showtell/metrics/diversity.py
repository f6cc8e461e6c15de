"""How much the candidates differ from each other, whatever the references say: what a good score can hide.

Unusual: a figure of the whole set is made of rows that add up. Each of the c occurrences of an n-gram among all
candidates is credited 1/c, so the credits of all images add up to the number of different n-grams, in any order; those
of one image are its part of that number. A resample would draw an image twice, which no set holds: no intervals.
"""

from collections import Counter as Tally
from functools import partial
from typing import Any

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts, ratio, shares


def _spread(texts: Texts, n: int) -> Rows:
    """Per image: credits of its n-grams, and how many it says -> (images, 2)."""
    of_order = texts.counts.order == n - 1
    text, gram, times = (column[of_order] for column in (texts.counts.text, texts.counts.gram, texts.counts.times))
    everywhere = np.bincount(gram, times)
    images = len(texts.candidates)
    return np.column_stack([np.bincount(text, times / everywhere[gram], images), np.bincount(text, times, images)])


def distinct(n: int) -> Metric:
    """Different n-grams of all candidates for each n-gram said (Li et al. 2016, arXiv:1510.03055)."""
    return Metric(partial(_spread, n=n), ratio, group="hidden", resampled=False)


def _total(sums: Rows, images: Any) -> Rows:
    """Credits -> a number of different things; whole for the whole set, but for the rounding of its parts."""
    return np.asarray(np.round(sums[..., 0], 9))


def _repeated(texts: Texts, n: int) -> Rows:
    """Per image: n-grams that this candidate said before, and all that it says -> (images, 2)."""
    images = len(texts.candidates)
    said = texts.counts.sums(texts.counts.times, images)[:, n - 1]
    again = texts.counts.sums(texts.counts.times - 1, images)[:, n - 1]
    return np.column_stack([again, said])


def repeats(n: int) -> Metric:
    """The share of n-grams that stood in the same candidate before: seq-rep-n of Welleck et al. (arXiv:1908.04319)."""
    return Metric(partial(_repeated, n=n), ratio, group="hidden", lower=True, contributions=shares)


def _length(texts: Texts) -> Rows:
    return np.array([[len(text.split())] for text in texts.candidates])


def _identical(texts: Texts) -> Rows:
    """1 for a candidate that another image has too -> (images, 1)."""
    times = Tally(texts.candidates)
    return np.array([[times[text] > 1] for text in texts.candidates], dtype=float)


VOCABULARY = Metric(partial(_spread, n=1), _total, group="hidden", resampled=False)
LENGTH = Metric(_length, group="hidden")
IDENTICAL = Metric(_identical, group="hidden", lower=True, resampled=False)
