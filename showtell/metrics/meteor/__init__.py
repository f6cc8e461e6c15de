"""METEOR 1.5 (Denkowski and Lavie 2014), English, as coco-caption runs the Java tool (`-l en -norm`), without Java.

Texts -> normalised words -> all matches (exact, stem, synonym, paraphrase) -> one alignment of each candidate with each
reference -> counts of the reference that scores best, a row for each image. The rows' sum gives the corpus's score.
Written from the papers and from the Java tool's answers; docs/meteor.md explains how.
"""

import numpy as np

from showtell.metrics.meteor.formula import COUNTS, scores
from showtell.metrics.meteor.matching import Matches, Sentences, alone, matches, sentences
from showtell.metrics.meteor.normalize import normalize
from showtell.metrics.meteor.search import align
from showtell.metrics.meteor.tables import Array, Index, load, missing
from showtell.metrics.metric import Metric, Rows, Texts

__all__ = ["METEOR", "count", "missing", "statistics"]


def statistics(texts: Texts) -> Rows:
    """Per image: the counts of its best reference -> (images, 23)."""
    return count(texts, load())


def count(texts: Texts, index: Index) -> Rows:
    ids: dict[str, int] = {}
    ours = [_number(text.replace("  ", " "), ids) for text in texts.candidates]
    theirs = [[_number(text, ids) for text in of_image] for of_image in texts.references]
    many = np.array([len(of_image) for of_image in theirs])
    candidate, reference = np.repeat(ours, many), np.array([one for of_image in theirs for one in of_image])
    codes, pair = np.unique(candidate << 32 | reference, return_inverse=True)
    rows = _pairs(sentences(list(ids), index), codes >> 32, codes & 0xFFFFFFFF, index)
    values, first = scores(rows)[pair], np.cumsum(many) - many
    best = np.array([at + int(np.argmax(values[at : at + n])) for at, n in zip(first, many, strict=True)])
    return rows[pair[best]]


def _number(text: str, ids: dict[str, int]) -> int:
    return ids.setdefault(normalize(text), len(ids))


def _pairs(known: Sentences, candidate: Array, reference: Array, index: Index) -> Rows:
    """The counts of each pair of sentences."""
    every = matches(known, candidate, reference, index)
    ours, theirs = (np.cumsum([0, *known.lengths[side]]) for side in (candidate, reference))
    taken = every.take(align(every, alone(every, ours, theirs), len(candidate)))
    rows = np.zeros((len(candidate), COUNTS))
    function = np.add.reduceat(np.append(known.function, 0), known.starts[:-1]) * (known.lengths > 0)
    for side, sentence in enumerate((candidate, reference)):
        rows[:, side] = known.lengths[sentence]
        rows[:, 2 + side] = function[sentence]
        _count_words(rows, taken, known, sentence, side)
    rows[:, 20] = np.bincount(taken.pair[_new_chunk(taken)], minlength=len(rows))
    whole = (rows[:, 20] == 1) & (rows[:, 21:23] == rows[:, :2]).all(axis=1)
    rows[whole, 20] = 0  # a caption equal to its reference has no chunk penalty, also in a corpus
    return rows


def _count_words(rows: Rows, taken: Matches, known: Sentences, sentence: Array, side: int) -> None:
    """Add the matched words of one side, by stage, content words and function words apart."""
    at, length = (taken.at, taken.length) if side == 0 else (taken.to, taken.size)
    match = np.repeat(np.arange(len(at)), length)
    place = np.arange(len(match)) - np.repeat(np.cumsum(length) - length, length)
    word = known.starts[sentence[taken.pair[match]]] + at[match] + place
    column = 4 + 4 * taken.stage[match] + 2 * known.function[word] + side
    rows += np.bincount(taken.pair[match] * COUNTS + column, minlength=rows.size).reshape(rows.shape)
    rows[:, 21 + side] = np.bincount(taken.pair[match], minlength=len(rows))


def _new_chunk(taken: Matches) -> Array:
    """Which matches start a new chunk: they do not begin where the match before them ended, on both sides."""
    goes_on = np.zeros(len(taken.pair), dtype=bool)
    goes_on[1:] = (
        (taken.pair[1:] == taken.pair[:-1])
        & (taken.at[1:] == (taken.at + taken.length)[:-1])
        & (taken.to[1:] == (taken.to + taken.size)[:-1])
    )
    return ~goes_on


def _value(sums: Rows, images: object) -> Rows:
    return scores(sums)


def _facts(texts: Texts) -> str:
    return "METEOR 1.5 en -norm"


def _missing(texts: Texts | None) -> str | None:
    return missing()


METEOR = Metric(statistics, _value, _facts, _missing, group="standard")
