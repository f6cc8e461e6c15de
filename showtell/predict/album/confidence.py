"""How sure a captioner is of a caption: the mean of its words' log-probabilities, and what that meant on validation.

`evaluate --split val` fits a curve and keeps it in the run as `calibration.json`: of the captions with such a mean, how
many were good? Good is a caption whose CIDEr-D reaches the median of validation. The curve is logistic (Platt, 1999):
probability = 1 / (1 + exp(-(slope * mean + offset))), with a slope of at least 0, so it never changes the order.
Example: with slope 3 and offset 2, a mean of -.2 gives .80, and a mean of -1.2 gives .17.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_json
from showtell.plumbing.reading import read_json

FILE = "calibration.json"
FEWEST = 30  # captions that a curve is fitted to
STEPS = 50


class Calibration(NamedTuple):
    """`made_by` is the captioner's fingerprint, which knows its decoding."""

    slope: float
    offset: float
    made_by: str

    def __call__(self, mean: float) -> float:
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, self.slope * mean + self.offset))))


def mean_log_prob(captioner: Captioner, caption: Caption) -> float | None:
    """The log-probability per token; the end of the caption counts, a prompt does not. None without log-probabilities.

    Example: `a dog` and the end with -.1, -.7 and -.1 give -.3.
    """
    if caption.log_prob is None or not caption.tokens:
        return None
    special = getattr(getattr(captioner, "tokenizer", None), "special", None)
    begin = 0 if special is None else len(special.begin)
    return caption.log_prob / max(1, len(caption.tokens) - begin)


def fit(means: Sequence[float], good: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset by Newton's method. As Platt advises, the targets are a little off 0 and 1."""
    x, y = np.asarray(means, dtype=float), np.asarray(good, dtype=float)
    center = x.mean()
    right = y.sum()
    y = np.where(y > 0, (right + 1) / (right + 2), 1 / (len(y) - right + 2))
    design = np.stack([x - center, np.ones_like(x)], axis=1)
    weights = np.zeros(2)
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (likely - y)
        curvature = design.T @ (design * (likely * (1 - likely))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    if weights[0] < 0:  # less sure captions were better: then sureness says nothing
        return 0.0, float(np.log(y.mean() / (1 - y.mean())))
    return float(weights[0]), float(weights[1] - weights[0] * center)


def calibrate(
    folder: Path, captioner: Captioner, captions: Mapping[str, Caption], per_image: Mapping[str, float]
) -> Calibration | None:
    """Fit the curve on validation captions and their CIDEr-D, and keep it in the run. None if there are too few."""
    pairs = [(mean_log_prob(captioner, captions[image_id]), value) for image_id, value in per_image.items()]
    known = [(mean, value) for mean, value in pairs if mean is not None]
    if len(known) < FEWEST:
        return None
    median = float(np.median([value for _, value in known]))
    slope, offset = fit([mean for mean, _ in known], [value >= median for _, value in known])
    made = Calibration(slope, offset, captioner.fingerprint)
    meaning = "the probability that a caption's CIDEr-D reaches the median of validation"
    write_json(folder / FILE, made._asdict() | {"meaning": meaning, "median": median, "captions": len(known)})
    return made


def read_calibration(folder: Path, captioner: Captioner) -> Calibration | None:
    """The curve of a run. None if there is none, or if it was fitted with other weights or another decoding."""
    path = folder / FILE
    if not path.is_file():
        return None
    content: Any = read_json(path)
    try:
        made = Calibration(float(content["slope"]), float(content["offset"]), str(content["made_by"]))
    except (TypeError, KeyError, ValueError) as error:
        advice = "delete it; `showtell evaluate RUN --split val` writes it anew"
        raise InputError(f"is damaged ({error})", key=str(path), advice=advice) from None
    return made if made.made_by == captioner.fingerprint else None
