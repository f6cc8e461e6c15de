"""Labels that were given and the truth -> accuracy of each way with its interval, tests, and what is mixed up.

The interval of accuracy is Wilson's (1927): 8 right of 10 are .80, and the interval .49 to .94. Ways are compared with
the best one on the same photos, by the paired test of `showtell compare`; p is corrected for their number (Holm).
"""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Texts
from showtell.metrics.significance import holm, paired
from showtell.zeroshot.classify import Classified

QUANTILE = 1.959964  # of the normal distribution, for 95 %
TOP = 5


class Judged(NamedTuple):
    """One way: shares of the photos with a truth. `p` is of the difference to the best way; None for that one."""

    name: str
    accuracy: float
    interval: tuple[float, float]
    top: float  # the truth among the likeliest few
    recall: float  # the mean of the classes' accuracies, so that a rare class counts as much
    p: float | None


class Mixed(NamedTuple):
    """Two labels that are taken for each other: how often one is called the other, and two photos of it."""

    first: str
    second: str
    first_as_second: int
    second_as_first: int
    examples: tuple[str, ...]


def judge(found: Classified, top: int = TOP) -> list[Judged]:
    """Every way in its order; the first of equals is the best."""
    right = (found.ranks == 0).astype(float)
    truth = np.array([found.truth[image_id] for image_id in found.judged])
    best = int(np.argmax(right.mean(axis=0)))
    others = [way for way in range(right.shape[1]) if way != best]
    corrected = dict(zip(others, holm([p_of(right[:, best], right[:, way]) for way in others]), strict=True))
    return [
        Judged(
            way.name,
            float(right[:, place].mean()),
            wilson(int(right[:, place].sum()), len(right)),
            float((found.ranks[:, place] < top).mean()),
            _recall(right[:, place], truth),
            corrected.get(place),
        )
        for place, way in enumerate(found.ways)
    ]


def wilson(right: int, of: int) -> tuple[float, float]:
    """
    >>> [round(end, 2) for end in wilson(8, 10)]
    [0.49, 0.94]
    """
    share, square = right / of, QUANTILE**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = QUANTILE / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def p_of(first: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """How likely so large a difference is if a coin decides for each photo which way is right; two-sided."""
    if (first == other).all():
        return 1.0
    rows = [first[:, None], other[:, None]]
    (found,) = paired([RIGHT], rows[:1], rows[1:])
    return 1.0 if found is None else found.p_randomization


def _no_texts(texts: Texts) -> NDArray[np.float64]:
    raise AssertionError("rows are given")


RIGHT = Metric(_no_texts)


def _recall(right: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    return float(np.mean([right[truth == place].mean() for place in np.unique(truth)]))


def mixed_pairs(found: Classified, most: int = 5) -> list[Mixed]:
    """The pairs of labels that the last way mixes up most, the worst first."""
    rows = {image_id: row for row, image_id in enumerate(found.image_ids)}
    said = found.order[:, 0]
    wrong: dict[tuple[int, int], list[str]] = {}
    for image_id in found.judged:
        place, guess = found.truth[image_id], int(said[rows[image_id]])
        if place != guess:
            wrong.setdefault((place, guess), []).append(image_id)
    together = Counter[tuple[int, int]]()
    for (place, guess), photos in wrong.items():
        together[min(place, guess), max(place, guess)] += len(photos)
    return [_mixed(pair, wrong, found.labels.names) for pair, _ in together.most_common(most)]


def _mixed(pair: tuple[int, int], wrong: dict[tuple[int, int], list[str]], names: Sequence[str]) -> Mixed:
    """The direction with more photos stands first."""
    one, other = wrong.get(pair, []), wrong.get(pair[::-1], [])
    if len(other) > len(one):
        return _mixed(pair[::-1], wrong, names)
    examples = (one[:1] + other[:1] + one[1:2])[:2]
    return Mixed(names[pair[0]], names[pair[1]], len(one), len(other), tuple(examples))
