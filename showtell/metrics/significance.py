"""Statistics of each image -> how far a score, or the difference of two, may be chance.

Intervals are by bootstrap (Efron 1979; Koehn 2004 for BLEU): a resample draws as many images as there are, some twice
and some never; the value of its added rows is what the metric would have given for that set. Two captioners of the same
images are tested twice: by paired bootstrap, where a resample draws the same images for both, and by approximate
randomization (Noreen 1989; Riezler and Maxwell 2005), where a coin for each image says whether the two swap captions.

Swaps test a stronger claim than "the two score the same": that a coin could have dealt out the captions. For a share
over the corpus the two claims are not the same. 200 photos, A says three 4-grams a photo, B says seven, and four
captions of A repeat one: A has 4 / 600 = .0067, B 0 / 1400. Swap whole captions, and both runs say about five 4-grams a
photo: the four repeats together make 4 / 1000 = .004, never .0067, so p would be .001. What that p finds is the length.

So a metric may say what each photo contributes to its score (`Metric.contributions`, whose mean is the score), and a
coin for each photo decides the sign of the contributions' difference. In the example only four photos contribute, 1/3
each: 2 of the 16 ways to set their signs are as far from 0 as the observed one, and p is 2/16 = .125, as the sign test
says. The contributions of a mean are its values; for a share see `metric.shares`, which has two ways to write them:
then p is the larger of two. BLEU and METEOR swap the counts of whole captions. In simulations of equal systems at the
level .05, both called 2 to 7 % different, with up to twice as many words in one; BLEU-4 called 8 % if one says 24
words, the other 12, and few 4-grams match: there `compare` is kept to the level by the bootstrap, which it also asks.

No p of swaps is below 2^(1 - K), if the metric's own value differs for K photos: four photos cannot say more than .125.
If the 2^K swaps of photos that differ are no more than `resamples`, all of them are tried.

All metrics are given the same draws; document frequencies stay those of the whole.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Rows, mean

LEVEL = 0.95
RESAMPLES = 1000
_AT_ONCE = 4_000_000  # images drawn before their rows are added: 32 MB
_ROUNDING = 1e-10  # sums in another order differ by less, and shall count as equal
_SLIGHT = 1e-3  # of the largest: BLEU-4 of a photo without a match is .00005, not 0, and differs with its length

Draw = Callable[[np.random.Generator, int, int], NDArray[np.float64]]


class Paired(NamedTuple):
    """How far apart two captioners are: other - first, where the difference of 95 % of the resamples lies, and p.

    Both p are two-sided: how often a difference at least as large would come about if the two were equal.
    `exact` says that all swaps of the photos that differ were tried, and not some drawn ones.
    """

    difference: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_randomization: float
    exact: bool


def intervals(
    metrics: Sequence[Metric], rows: Sequence[Rows], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float] | None]:
    """The middle 95 % of each metric's values over the resamples; None if one image or none could be drawn."""
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
    steps = _steps(metrics, first, other)
    (stacked,), columns = _stacked(steps)
    moves, exact = swapped(stacked, resamples, seed)
    found: list[Paired | None] = []
    for metric, place, step, column in zip(metrics, places, steps, columns, strict=True):
        if not metric.resampled:
            found.append(None)
            continue
        swaps = _of_few(step, resamples) or (moves[:, column], exact)
        one, another = drawn[0][:, place], drawn[1][:, place]
        found.append(_paired(metric, ours[:, place], theirs[:, place], one, another, step, *swaps))
    return found


def _steps(metrics: Sequence[Metric], first: Sequence[Rows], other: Sequence[Rows]) -> list[Rows]:
    """What changes sides when an image swaps: the difference of its contributions, or of its rows.

    Metrics that share their rows share the difference, so that it is multiplied once.
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
    """All swaps of the images that differ, if these are few; None if swaps must be drawn."""
    size = np.abs(step)
    differ = (size > _ROUNDING * size.max(axis=0)).any(axis=1)
    count = int(differ.sum())
    if count == 0 or count >= 63 or 2**count > resamples:
        return None
    return swapped(step[differ], resamples, seed=0)


def _paired(
    metric: Metric, first: Rows, other: Rows, ours: Rows, theirs: Rows, step: Rows, moves: Rows, exact: bool
) -> Paired:
    """Rows of the two, their resampled sums with the same draws, and the sum of the steps of each swap."""
    images = len(first)

    def apart(one: Rows, another: Rows) -> Rows:
        return np.asarray(metric.value(another, images) - metric.value(one, images))

    a, b = first.sum(axis=0), other.sum(axis=0)
    difference, spread = float(apart(a, b)), apart(ours, theirs)
    p_bootstrap = _p(spread - spread.mean(), difference, exact=False)
    if _contributions(metric) is None:
        p_swapped = _p(apart(a + moves, b - moves), difference, exact)
    else:  # an image that swaps takes its step from the other's sum and gives it to the first
        differences = (step.sum(axis=0) - 2 * moves) / images
        p_swapped = max(_p(way, difference, exact) for way in differences.T)
    return Paired(difference, _middle(spread), p_bootstrap, max(p_swapped, _least_p(metric, first, other)), exact)


def _least_p(metric: Metric, first: Rows, other: Rows) -> float:
    """2^(1 - K) for K images whose own values differ: either all of them swap, or none does.

    Four images at most give 1/8, whatever they say; without a difference p is 1.
    """
    apart = np.abs(metric.value(other, 1) - metric.value(first, 1))
    differ = int(np.sum(apart > _SLIGHT * apart.max()))
    return min(1.0, 2.0 ** (1 - differ))


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

    They are if `resamples` are as many: then chance has no part in p.
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
