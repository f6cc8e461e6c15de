"""Statistics of each image -> how far a score may be chance: bootstrap intervals (Efron 1979; Koehn 2004 for BLEU).

A resample draws as many images as there are, some twice and some never; the value of its added rows is what the metric
would have given for that set. All metrics are given the same draws; document frequencies stay those of the whole.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Rows

LEVEL = 0.95
RESAMPLES = 1000
_AT_ONCE = 4_000_000  # images drawn before their rows are added: 32 MB


def intervals(
    metrics: Sequence[Metric], rows: Sequence[Rows], resamples: int = RESAMPLES, seed: int = 0
) -> list[tuple[float, float] | None]:
    """The middle 95 % of each metric's values over the resamples; None where one image or none could be drawn."""
    images = len(rows[0]) if rows else 0
    if images < 2 or resamples < 1:
        return [None] * len(metrics)
    sums = added(np.hstack(rows), resamples, seed)
    ends = np.cumsum([part.shape[1] for part in rows])
    found: list[tuple[float, float] | None] = []
    for metric, part in zip(metrics, np.split(sums, ends[:-1], axis=1), strict=True):
        low, high = np.quantile(metric.value(part, images), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found.append((float(low), float(high)) if metric.resampled else None)
    return found


def added(rows: Rows, resamples: int, seed: int) -> NDArray[np.float64]:
    """Rows (images, figures) -> their sums over each resample (resamples, figures)."""
    generator, images = np.random.default_rng(seed), len(rows)
    step = max(1, _AT_ONCE // images)
    parts = []
    for start in range(0, resamples, step):
        times = draw(generator, min(step, resamples - start), images)
        parts.append(times @ rows)
    return np.concatenate(parts)


def draw(generator: np.random.Generator, resamples: int, images: int) -> NDArray[np.float64]:
    """How often each image is drawn in each resample (resamples, images); every row adds up to the images."""
    drawn = generator.integers(images, size=(resamples, images), dtype=np.int64)
    drawn += np.arange(resamples)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.float64)
