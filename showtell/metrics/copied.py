"""Candidates and training captions -> the share of candidates that repeat a training caption word for word."""

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.tokenize import tokenize


def statistics(texts: Texts) -> Rows:
    """1 for a candidate with the same words as a training caption, else 0 -> (images, 1)."""
    training = {tokenize(text) for text in set(texts.training or ())}
    return np.array([[text in training] for text in texts.candidates], dtype=float)


def missing(texts: Texts | None) -> str | None:
    if texts is not None and texts.training is None:
        return "needs the training captions; give them to `showtell score` with --training FILE"
    return None


def facts(texts: Texts) -> str:
    return f"{len(set(texts.training or ())):,} different training captions"


COPIED = Metric(statistics, facts=facts, missing=missing, group="hidden", lower=True)
