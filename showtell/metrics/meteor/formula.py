"""Counts of matched words and chunks -> METEOR's score (Denkowski and Lavie 2014), for one caption or for a corpus.

A row of counts is what the Java tool prints for a caption: words and function words of candidate and reference; for
each stage the matched content and function words of both; chunks (0 if the caption equals its reference); matched words
of both. A corpus has the sum of the rows.

A chunk is a run of matches that are neighbours, in the same order, on both sides. Many chunks mean another word order:
6 matched words in 2 chunks lose .6 * (2/6)^.2 = 48 % of the score.
"""

import numpy as np

from showtell.metrics.metric import Rows

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75  # the Java tool's for English, tuned to rank systems
STAGES = ("exact", "stem", "synonym", "paraphrase")
WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
COUNTS = 23


def scores(rows: Rows) -> Rows:
    """Counts (..., 23) -> scores (...)."""
    words, function = rows[..., 0:2], rows[..., 2:4]
    stages = rows[..., 4:20].reshape(*rows.shape[:-1], len(STAGES), 2, 2)
    weighed = np.einsum("...skt,s,k->...t", stages, WEIGHTS, [DELTA, 1 - DELTA])
    precision, recall = np.moveaxis(_divide(weighed, DELTA * (words - function) + (1 - DELTA) * function), -1, 0)
    mean = _divide(precision * recall, ALPHA * precision + (1 - ALPHA) * recall)
    chunks, matched = rows[..., 20], rows[..., 21:23]
    fragmentation = _divide(chunks, matched.mean(axis=-1))
    return np.asarray(mean * (1 - GAMMA * fragmentation**BETA))


def _divide(above: Rows, below: Rows) -> Rows:
    """above / below, but 0 if there are no words or no matches, as in the Java tool."""
    return np.divide(above, below, out=np.zeros_like(above, dtype=np.float64), where=below != 0)
