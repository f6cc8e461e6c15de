"""How much the candidates differ from each other. Good scores against references can hide that all captions are alike.

Unusual: the number of different n-grams is a sum of rows. If an n-gram occurs c times among all candidates, each
occurrence gets the credit 1/c. Example: "a dog", "a cat". Each caption has the credits 1/2 + 1 = 1.5, together 3
different words. These metrics have no intervals: a resample would draw an image twice and find it identical to itself.
"""

from collections import Counter as Tally
from functools import partial
from typing import Any

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts, ratio, shares


def _spread(texts: Texts, n: int) -> Rows:
    """Per image: the credits of its n-grams, and their number -> (images, 2)."""
    of_order = texts.counts.order == n - 1
    text, gram, times = (column[of_order] for column in (texts.counts.text, texts.counts.gram, texts.counts.times))
    everywhere = np.bincount(gram, times)
    images = len(texts.candidates)
    return np.column_stack([np.bincount(text, times / everywhere[gram], images), np.bincount(text, times, images)])


def distinct(n: int) -> Metric:
    """Different n-grams / all n-grams of all candidates (Li et al. 2016, arXiv:1510.03055): 3 / 4 words above."""
    return Metric(partial(_spread, n=n), ratio, group="hidden", resampled=False)


def _total(sums: Rows, images: Any) -> Rows:
    """Credits -> the number of different n-grams. Sums of parts such as 1/3 are not exact, so they are rounded."""
    return np.asarray(np.round(sums[..., 0], 9))


def _repeated(texts: Texts, n: int) -> Rows:
    """Per image: n-grams that its candidate had before, and all its n-grams -> (images, 2)."""
    images = len(texts.candidates)
    every = texts.counts.sums(texts.counts.times, images)[:, n - 1]
    again = texts.counts.sums(texts.counts.times - 1, images)[:, n - 1]
    return np.column_stack([again, every])


def repeats(n: int) -> Metric:
    """The share of n-grams that repeat an earlier one of the same candidate.

    This is seq-rep-n of Welleck et al. (arXiv:1908.04319). "a dog and a dog" has four 2-grams, and the last repeats the
    first: repeats-2 is 1/4.
    """
    return Metric(partial(_repeated, n=n), ratio, group="hidden", lower=True, contributions=shares)


def _length(texts: Texts) -> Rows:
    return np.array([[len(text.split())] for text in texts.candidates])


def _identical(texts: Texts) -> Rows:
    """1 for a candidate that another image has too, else 0 -> (images, 1)."""
    times = Tally(texts.candidates)
    return np.array([[times[text] > 1] for text in texts.candidates], dtype=float)


VOCABULARY = Metric(partial(_spread, n=1), _total, group="hidden", resampled=False, digits=0)
LENGTH = Metric(_length, group="hidden", digits=2)
IDENTICAL = Metric(_identical, group="hidden", lower=True, resampled=False)
