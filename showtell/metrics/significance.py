"""Statistics of each image -> how much of a score, or of the difference of two scores, may be chance.

Intervals come from the bootstrap (Efron 1979; Koehn 2004 for BLEU). A resample draws as many images as there are, with
replacement. The value of its summed rows is what the metric would give for that set. Two captioners of the same images
are tested in two ways:

- Paired bootstrap: each resample draws the same images for both.
- Approximate randomization (Noreen 1989; Riezler and Maxwell 2005): a coin for each image decides whether the two
  captioners swap their captions of it.

Swapping whole captions tests more than "both score the same": it tests whether a coin could have dealt the captions.
For a share over the corpus this matters. Example: 200 photos. A writes three 4-grams per photo, B writes seven, and
four captions of A repeat one 4-gram: A has 4 / 600 = .0067, B has 0 / 1400 = 0. After swaps, both have about five
4-grams per photo. Even if one of them has all four repeats, it gets 4 / 1000 = .004, never .0067. So p would be .001,
but only because the lengths differ.

So a metric may say how much each photo contributes to its score (`Metric.contributions`; their mean is the score). A
coin for each photo then sets the sign of the difference in contributions. In the example only four photos contribute,
1/3 each. Of the 16 ways to set four signs, 2 are as far from 0 as the observed one: p is 2/16 = .125, as in the sign
test. For a mean, the contributions are the values of the images. For a share, `metric.shares` computes contributions in
two ways, and p is the larger of two. BLEU and METEOR swap the counts of whole captions.

We simulated equal systems and tested BLEU and METEOR at level .05. They found a difference in 2 to 7 % of the cases,
even if one system wrote twice as many words. The worst case was BLEU-4 with 8 %: 24 words against 12, few matching
4-grams. `compare` also requires the bootstrap's p, which keeps that case at the level.

The p of swaps is at least 2^(1 - K) if the metric's value differs for K photos: for four photos, at least .125. If
there are no more than `resamples` swaps of the photos that differ (2^K), all of them are tried.

All metrics use the same draws. Document frequencies stay those of the whole set.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Rows, mean

LEVEL = 0.95
RESAMPLES = 1000
_AT_ONCE = 4_000_000  # images drawn at a time: 32 MB
_ROUNDING = 1e-10  # sums added in another order differ by less; they count as equal
# Differences below this share of the largest count as none: BLEU-4 without a match is not 0 but about .00005, and that
# number depends on the caption's length.
_SLIGHT = 1e-3

Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


class Paired(NamedTuple):
    """The difference other - first of two captioners, its 95 % interval over the resamples, and p of both tests.

    Both p are two-sided: how often two equal captioners would differ at least as much. `exact` is True if all swaps of
    the photos that differ were tried, not a random sample.
    """

    difference: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomization: float
    exact: bool


def intervals(
    metrics: Sequence[Metric], rows: Sequence[Rows], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float] | None]:
    """The middle 95 % of each metric's values over the resamples.

    None for a metric with `resampled=False`, and for all metrics if there are fewer than two images.
    """
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
    """Each metric's difference other - first. Both sides have rows of the same images, in the same order.

    None for a metric with `resampled=False`, and for all metrics if there are fewer than two images.
    """
    images = len(first[0]) if len(first) else 0
    if images < 2 or resamples < 1:
        return [None] * len(metrics)
    (ours, theirs), places = _stacked(first, other)
    drawn = np.split(added(np.hstack([ours, theirs]), resamples, seed), 2, axis=1)
    steps = _steps(metrics, first, other)
    (stacked,), columns = _stacked(steps)
    moves, exact = swapped(stacked, resamples, seed)
    tested: list[Paired | None] = []
    for metric, place, step, column in zip(metrics, places, steps, columns, strict=True):
        if not metric.resampled:
            tested.append(None)
            continue
        swaps = _of_few(step, resamples) or (moves[:, column], exact)
        one, another = drawn[0][:, place], drawn[1][:, place]
        tested.append(_paired(metric, ours[:, place], theirs[:, place], one, another, step, *swaps))
    return tested


def _steps(metrics: Sequence[Metric], first: Sequence[Rows], other: Sequence[Rows]) -> list[Rows]:
    """What changes sides if an image swaps: the difference of its contributions, or else of its rows.

    Metrics that share their rows also share the difference, so it is multiplied once.
    """
    shared: dict[tuple[int, int], Rows] = {}
    steps = []
    for metric, ours, theirs in zip(metrics, first, other, strict=True):
        if (contributions := _contributions(metric)) is not None:
            steps.append(contributions(theirs) - contributions(ours))
        else:
            key = id(ours), id(theirs)
            if key not in shared:
                shared[key] = theirs - ours
            steps.append(shared[key])
    return steps


def _contributions(metric: Metric) -> Callable[[Rows], Rows] | None:
    if metric.contributions is None and metric.value is mean:
        return _first_column
    return metric.contributions


def _first_column(rows: Rows) -> Rows:
    return rows[:, :1]


def _of_few(step: Rows, resamples: int) -> tuple[Rows, bool] | None:
    """All swaps of the images that differ, if there are at most `resamples`; None if swaps must be drawn."""
    size = np.abs(step)
    differ = (size > _ROUNDING * size.max(axis=0)).any(axis=1)
    count = int(differ.sum())
    if count == 0 or count >= 63 or 2**count > resamples:
        return None
    return swapped(step[differ], resamples, seed=0)


def _paired(
    metric: Metric, first: Rows, other: Rows, ours: Rows, theirs: Rows, step: Rows, moves: Rows, exact: bool
) -> Paired:
    """`first`, `other`: rows; `ours`, `theirs`: sums of the same resamples; `moves`: the sum of steps of each swap."""
    images = len(first)

    def apart(one: Rows, another: Rows) -> Rows:
        return np.asarray(metric.value(another, images) - metric.value(one, images))

    a, b = first.sum(axis=0), other.sum(axis=0)
    difference, spread = float(apart(a, b)), apart(ours, theirs)
    p_bootstrap = _p(spread - spread.mean(), difference, exact=False)
    if _contributions(metric) is None:
        p_swapped = _p(apart(a + moves, b - moves), difference, exact)
    else:  # an image that swaps moves its step from the other's sum to the first's
        differences = (step.sum(axis=0) - 2 * moves) / images
        p_swapped = max(_p(way, difference, exact) for way in differences.T)
    return Paired(difference, _middle(spread), p_bootstrap, max(p_swapped, _least_p(metric, first, other)), exact)


def _least_p(metric: Metric, first: Rows, other: Rows) -> float:
    """The smallest possible p: 2^(1 - K) if the values of K images differ.

    Of the 2^K swaps, two are always as far from 0 as the observed difference: none swaps, and all swap. So four images
    give at least 2/16 = 1/8. If no value differs, p is 1.
    """
    apart = np.abs(metric.value(other, 1) - metric.value(first, 1))
    differ = int(np.sum(apart > _SLIGHT * apart.max()))
    return min(1.0, 2.0 ** (1 - differ))


def _p(differences: Rows, observed: float, exact: bool) -> float:
    """(n + 1) / (all + 1) if n differences are at least as large as the observed one, in either direction.

    The + 1 is the observed difference itself: if both captioners are equal, it is as likely as any other. So p is never
    0. If the differences are all that exist (`exact`), p is n / all.
    """
    as_large = int(np.sum(np.abs(differences) >= abs(observed) - _ROUNDING * max(1.0, abs(observed))))
    return as_large / len(differences) if exact else (as_large + 1) / (len(differences) + 1)


def _middle(values: Rows) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _stacked(*sides: Sequence[Rows]) -> tuple[list[Rows], list[slice]]:
    """For each side, all metrics' rows in one array; and the columns of each metric in it.

    Rows that metrics share (BLEU-1 to BLEU-4) are stored once, because multiplying them takes most of the time.
    """
    every = [(tuple(map(id, rows)), rows) for rows in zip(*sides, strict=True)]
    kept = dict(every)
    ends = np.cumsum([rows[0].shape[1] for rows in kept.values()]).tolist()
    places = dict(zip(kept, map(slice, [0, *ends], ends), strict=False))
    return [np.hstack(side) for side in zip(*kept.values(), strict=True)], [places[key] for key, _ in every]


def holm(values: Sequence[float]) -> list[float]:
    """p values of one family of tests -> corrected p values, to compare with the same level (Holm 1979).

    The smallest of three is multiplied by 3, the next by 2, the largest by 1; none is below the one before.

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    corrected, least = [0.0] * len(values), 0.0
    for done, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - done) * values[place]))
        corrected[place] = least
    return corrected


def added(rows: Rows, resamples: int, seed: int) -> NDArray[np.float64]:
    """Rows (images, figures) -> their sum in each resample (resamples, figures)."""
    return np.concatenate([times @ rows for times in _drawn(draw, resamples, len(rows), seed)])


def swapped(differences: Rows, resamples: int, seed: int) -> tuple[NDArray[np.float64], bool]:
    """Rows other - first -> their sums over the images that swap (swaps, figures), and whether all swaps were tried.

    All 2^images swaps are tried if they are no more than `resamples`. Then p does not depend on random draws.
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
    """How often each resample draws each image (resamples, images): 2 0 1 for three. Each row sums to `images`."""
    drawn = generator.integers(images, size=(resamples, images), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.float64)


def toss(generator: np.random.Generator, swaps: int, images: int) -> NDArray[np.float64]:
    """1 if an image's captions swap, 0 if they stay (swaps, images)."""
    return generator.integers(2, size=(swaps, images), dtype=np.int8).astype(np.float64)
