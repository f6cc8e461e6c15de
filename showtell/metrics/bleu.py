"""BLEU (Papineni et al. 2002) as coco-caption computes it: over the whole corpus, with the closest reference length.

Example: candidate "a a dog", reference "a dog". A word matches at most as often as one reference has it, so 2 of the 3
words match and BLEU-1 is 2/3. A candidate shorter than its reference pays the brevity penalty: 2 words against 3 give
the factor exp(1 - 3/2) = .607.

Unusual: coco-caption adds `TINY` to each count of matches and `SMALL` to each total. So a candidate without words or
matches scores almost 0, without an error. The value of one image is its sentence BLEU with the same two constants.
"""

from functools import partial
from typing import Any

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.ngrams import ORDERS

TINY = 1e-15
SMALL = 1e-9


def statistics(texts: Texts) -> Rows:
    """Per image: matches and totals of 1- to 4-grams, candidate length, reference length -> (images, 10)."""
    ours, theirs = texts.met
    most = np.zeros_like(texts.counts.times)
    np.maximum.at(most, ours, texts.prepared.counts.times[theirs])
    matches = texts.counts.sums(np.minimum(texts.counts.times, most), len(texts.candidates))
    totals = texts.counts.sums(texts.counts.times, len(texts.candidates))
    return np.column_stack([matches, totals, totals[:, 0], _closest(texts, totals[:, 0])])


def _closest(texts: Texts, lengths: Rows) -> Rows:
    """The reference length nearest to each candidate's length; the shorter of two: of 4 and 6 words, 4 for 5 words."""
    references = np.split(texts.prepared.lengths, texts.prepared.first[1:])
    return np.array(
        [min((abs(b - a), b) for b in of_image.tolist())[1] for a, of_image in zip(lengths, references, strict=True)]
    )


def value(sums: Rows, images: Any, n: int) -> Rows:
    """Summed rows of counts (..., 10) -> BLEU-n (...)."""
    matches, totals = sums[..., :n] + TINY, sums[..., ORDERS : ORDERS + n] + SMALL
    ratio = (sums[..., -2] + TINY) / (sums[..., -1] + SMALL)
    brevity = np.exp(np.minimum(0, 1 - 1 / ratio))
    return np.asarray(np.prod(matches / totals, axis=-1) ** (1 / n) * brevity)


def bleu(n: int) -> Metric:
    """BLEU with 1-grams to n-grams. BLEU-1 to BLEU-4 share their statistics."""
    return Metric(statistics, partial(value, n=n), group="standard")
