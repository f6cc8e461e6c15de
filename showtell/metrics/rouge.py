"""ROUGE-L (Lin 2004) as coco-caption computes it: F-measure, beta 1.2, of the longest common subsequence.

Example: "a dog runs" and "a black dog" have the subsequence "a dog" in common: precision 2/3, recall 2/3, F 2/3.

Unusual: the best precision and the best recall may come from different references. Tokens are split at single spaces,
so an empty text has one empty token. An empty candidate scores 0, but 1 against an empty reference.
"""

from collections.abc import Sequence

import numpy as np

from showtell.metrics.metric import Metric, Rows, Texts

BETA = 1.2


def statistics(texts: Texts) -> Rows:
    """The F-measure of each image -> (images, 1)."""
    pairs = zip(texts.candidates, texts.references, strict=True)
    return np.array([[_f_measure(candidate.split(" "), references)] for candidate, references in pairs])


def _f_measure(candidate: list[str], references: Sequence[str]) -> float:
    cut = [text.split(" ") for text in references]
    common = _common(candidate, cut)
    precision = max(common) / len(candidate)
    recall = max(length / len(words) for length, words in zip(common, cut, strict=True))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(candidate: list[str], references: list[list[str]]) -> list[int]:
    """The length of the longest common subsequence with each reference. One integer holds a column of the usual table.

    Bit i of it is 0 if the table's value grows at the candidate's word i (Crochemore et al. 2001, "A fast and practical
    bit-vector algorithm for the longest common subsequence problem").
    """
    places: dict[str, int] = {}
    for i, word in enumerate(candidate):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(candidate)) - 1
    lengths = []
    for reference in references:
        column = full
        for word in reference:
            if at := places.get(word):
                hit = column & at
                column = (column + hit | column - hit) & full
        lengths.append(len(candidate) - column.bit_count())
    return lengths


ROUGE_L = Metric(statistics, group="standard")
