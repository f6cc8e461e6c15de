"""BLEU as nltk's `corpus_bleu` computes it, over spaCy's English tokens in lower case.

`bleu_bern` also cuts the last period of each text, as the tokenizer of the Bern course does, and gives its numbers.

Differences from coco-caption's BLEU: full stops and commas are words. A candidate too short for an n-gram counts as one
miss: three words have no 4-gram, so they add 0 matches and 1 to the total. If the corpus has no match of some order,
nltk sets that precision to 2.2e-308, so the score is practically 0. There is no other smoothing. BLEU-3 has the weights
of the course: .333, .333, .334.
"""

from collections.abc import Sequence
from functools import partial
from sys import float_info
from typing import Any

import numpy as np

from showtell.metrics.bleu import statistics as counted
from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.ngrams import ORDERS

TOKENS = "spacy en, lower case"
WEIGHTS = {1: (1.0,), 2: (0.5, 0.5), 3: (0.333, 0.333, 0.334), 4: (0.25, 0.25, 0.25, 0.25)}


def statistics(texts: Texts) -> Rows:
    """Per image: matches and totals of 1- to 4-grams, candidate length, reference length -> (images, 10)."""
    return _count([_words(text) for text in texts.said], [[_words(text) for text in some] for some in texts.known])


def statistics_cut(texts: Texts) -> Rows:
    """`statistics` of texts without their last period."""
    return _count([_cut(text) for text in texts.said], [[_cut(text) for text in some] for some in texts.known])


def _words(text: str) -> str:
    from showtell.tokenizers.words import split  # loads torch and spaCy, which other metrics do not need

    return " ".join(split(text))


def _cut(text: str) -> str:
    words = _words(text)
    return words[:-1].rstrip() if words.endswith(" .") or words == "." else words


def _count(candidates: list[str], references: list[list[str]]) -> Rows:
    rows = counted(Texts(candidates, references))
    rows[:, ORDERS : 2 * ORDERS] = np.maximum(rows[:, ORDERS : 2 * ORDERS], 1)
    return rows


def _bleu(sums: Rows, images: Any, n: int) -> Rows:
    """Summed rows of counts (..., 10) -> BLEU-n (...)."""
    matches, totals = sums[..., :n], sums[..., ORDERS : ORDERS + n]
    precisions = np.where(matches > 0, matches / totals, float_info.min)
    length = sums[..., -2]
    gap = np.divide(sums[..., -1], length, out=np.ones_like(length), where=length > 0)
    value = np.exp(np.log(precisions) @ np.array(WEIGHTS[n]) + np.minimum(0, 1 - gap))
    return np.where(matches[..., 0] > 0, value, 0)


def bleu_of_ids(candidates: Sequence[Sequence[int]], references: Sequence[Sequence[Sequence[int]]]) -> dict[int, float]:
    """nltk's BLEU-1 to BLEU-4 of captions as ids. Each id is a word: nothing is tokenized.

    >>> bleu_of_ids([[4, 5, 6, 7]], [[[4, 5, 6, 7], [4, 9]]])[4]
    1.0
    """
    texts = Texts([_spelled(ids) for ids in candidates], [[_spelled(ids) for ids in each] for each in references])
    sums = _count(texts.candidates, texts.references).sum(axis=0)  # type: ignore[arg-type]
    return {n: float(_bleu(sums, len(candidates), n)) for n in WEIGHTS}


def _spelled(ids: Sequence[int]) -> str:
    return " ".join(map(str, ids))


def facts(texts: Texts, n: int) -> str:
    weights = " ".join(f"{weight:g}" for weight in WEIGHTS[n])
    return f"nltk corpus_bleu|weights {weights}|no smoothing"


def bleu_nltk(n: int) -> Metric:
    """nltk's BLEU with 1-grams to n-grams. All four share their statistics."""
    return Metric(statistics, partial(_bleu, n=n), partial(facts, n=n), tokens=TOKENS)


def bleu_bern(n: int) -> Metric:
    """The same without the last period of any text."""
    return Metric(statistics_cut, partial(_bleu, n=n), partial(facts, n=n), tokens=f"{TOKENS}, last period cut")
