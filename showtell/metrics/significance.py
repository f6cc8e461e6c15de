"""Statistics of each image -> how far a score, or the difference of two, may be chance.

Intervals are by bootstrap (Efron 1979; Koehn 2004 for BLEU): a resample draws as many images as there are, some twice
and some never; the value of its added rows is what the metric would have given for that set. Two captioners of the same
images are tested twice: by paired bootstrap, where a resample draws the same images for both, and by approximate
randomization (Noreen 1989; Riezler and Maxwell 2005), where a coin for each image says whether the two swap captions.

All metrics are given the same draws; document frequencies stay those of the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Rows

LEVEL = 0.95
RESAMPLES = 1000
_AT_ONCE = 4_000_000  # images drawn before their rows are added: 32 MB
_ROUNDING = 1e-10  # sums in another order differ by less, and shall count as equal

Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


class Paired(NamedTuple):
    """How far apart two captioners are: other - first, where the difference of 95 % of the resamples lies, and p.

    Both p are two-sided: how often a difference at least as large would come about if the two were equal.
    `exact` says that every one of the 2^images swaps was tried, and not some drawn ones.
    """

    difference: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomization: float
    exact: bool


def intervals(
    metrics: Sequence[Metric], rows: Sequence[Rows], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float] | None]:
    """The middle 95 % of each metric's values over the resamples; None where one image or none could be drawn."""
    images = len(rows[0]) if rows else 0
    if images < 2 or resamples < 1:
        return [None] * len(metrics)
    (stack,), places = _stacked(rows)
    sums = added(stack, resamples, seed)
    return [
        _middle(metric.value(sums[:, place], images)) if metric.resampled else None
        for metric, place in zip(metrics, places, strict=True)
    ]


def paired(
    metrics: Sequence[Metric], first: Sequence[Rows], other: Sequence[Rows], resamples: int = RESAMPLES, seed: int = 0
) -> list[Paired | None]:
    """Each metric's difference other - first; both have rows of the same images, in the same order.

    None for a metric of the whole set, and where there is one image or none.
    """
    images = len(first[0]) if len(first) else 0
    if images < 2 or resamples < 1:
        return [None] * len(metrics)
    (ours, theirs), places = _stacked(first, other)
    drawn = np.split(added(np.hstack([ours, theirs]), resamples, seed), 2, axis=1)
    swaps, exact = swapped(theirs - ours, resamples, seed)
    return [
        _paired(metric, images, exact, *(sums[:, place] for sums in (ours, theirs, *drawn, swaps)))
        if metric.resampled
        else None
        for metric, place in zip(metrics, places, strict=True)
    ]


def _paired(
    metric: Metric, images: int, exact: bool, first: Rows, other: Rows, ours: Rows, theirs: Rows, moves: Rows
) -> Paired:
    """Rows of the two, their resampled sums with the same draws, and what each swap takes from the other's sum."""

    def apart(one: Rows, another: Rows) -> Rows:
        return np.asarray(metric.value(another, images) - metric.value(one, images))

    a, b = first.sum(axis=0), other.sum(axis=0)
    difference, spread, swaps = float(apart(a, b)), apart(ours, theirs), apart(a + moves, b - moves)
    p_bootstrap = _p(spread - spread.mean(), difference, exact=False)
    return Paired(difference, _middle(spread), p_bootstrap, _p(swaps, difference, exact), exact)


def _p(differences: Rows, observed: float, exact: bool) -> float:
    """(n + 1) / (all + 1), n of them at least as large as the observed one either way; all swaps there are: n / all.

    The one that is added is the observed difference, which is as likely as any where the two are equal: no p is 0.
    """
    as_large = int(np.sum(np.abs(differences) >= abs(observed) - _ROUNDING * max(1.0, abs(observed))))
    return as_large / len(differences) if exact else (as_large + 1) / (len(differences) + 1)


def _middle(values: Rows) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _stacked(*sides: Sequence[Rows]) -> tuple[list[Rows], list[slice]]:
    """Of each side all metrics' rows in one array, and each metric's columns there.

    Rows that metrics share, as BLEU-1 to BLEU-4 do, stand there once: they are the greater part of what is multiplied.
    """
    every = [(tuple(map(id, parts)), parts) for parts in zip(*sides, strict=True)]
    kept = dict(every)
    ends = np.cumsum([parts[0].shape[1] for parts in kept.values()]).tolist()
    places = dict(zip(kept, map(slice, [0, *ends], ends), strict=False))
    return [np.hstack(side) for side in zip(*kept.values(), strict=True)], [places[key] for key, _ in every]


def holm(values: Sequence[float]) -> list[float]:
    """p values of one family of tests -> corrected ones, to be compared with the same level (Holm 1979).

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    corrected, least = [0.0] * len(values), 0.0
    for done, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - done) * values[place]))
        corrected[place] = least
    return corrected


def added(rows: Rows, resamples: int, seed: int) -> NDArray[np.float64]:
    """Rows (images, figures) -> their sums over each resample (resamples, figures)."""
    return np.concatenate([times @ rows for times in _drawn(draw, resamples, len(rows), seed)])


def swapped(differences: Rows, resamples: int, seed: int) -> tuple[NDArray[np.float64], bool]:
    """Rows other - first -> their sums over the images that swap (swaps, figures), and whether all 2^images are there.

    They are where `resamples` are as many: then chance has no part in p.
    """
    images = len(differences)
    if images < 63 and 2**images <= resamples:
        every = np.arange(2**images)[:, None] >> np.arange(images) & 1
        return (every @ differences).astype(np.float64), True
    return np.concatenate([swaps @ differences for swaps in _drawn(toss, resamples, images, seed)]), False


def _drawn(how: Draw, resamples: int, images: int, seed: int) -> Iterator[NDArray[np.float64]]:
    generator, step = np.random.default_rng(seed), max(1, _AT_ONCE // images)
    for start in range(0, resamples, step):
        yield how(generator, min(step, resamples - start), images)


def draw(generator: np.random.Generator, resamples: int, images: int) -> NDArray[np.float64]:
    """How often each image is drawn in each resample (resamples, images); every row adds up to the images."""
    drawn = generator.integers(images, size=(resamples, images), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.float64)


def toss(generator: np.random.Generator, swaps: int, images: int) -> NDArray[np.float64]:
    """1 where an image's captions swap, 0 where they stay (swaps, images)."""
    return generator.integers(2, size=(swaps, images), dtype=np.int8).astype(np.float64)
