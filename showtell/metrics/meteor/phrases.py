"""Words and phrases of the captions at hand -> which of them METEOR takes for the same, and in which stage.

Each different word and phrase is looked up once for all captions. Synonyms are words with a WordNet sense in common,
their own or that of their base form: by the list of exceptions, else the first of `ENDINGS` that leaves a known word.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from showtell.metrics.meteor.stemmer import stem
from showtell.metrics.meteor.tables import LONGEST, Array, Index, find, hashed, hashes

ENDINGS = [
    *(("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man")),
    *(("ies", "y"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    *(("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
]
EXACT, STEM, SYNONYM, PARAPHRASE = range(4)


class Occurrences(NamedTuple):
    """Every word of the sentences and every longer phrase of the table: sentence, first word, length, unit."""

    sentence: Array
    at: Array
    length: Array
    unit: Array


class Relation(NamedTuple):
    """Rows sorted by `unit`: a unit of a candidate, one of a reference that it matches, the stage.

    A pair that the table of paraphrases has in both directions stands twice, since METEOR counts it as two matches.
    """

    unit: Array
    other: Array
    stage: Array
    entry: Array  # of the table of paraphrases, else 0
    named: Array  # whether the table names the reference's phrase as a paraphrase of the candidate's


def occurrences(words: Array, starts: Array, nodes: Array, index: Index) -> tuple[Occurrences, Array]:
    """`words` of all sentences, where each `starts`, the words' `nodes` -> the occurrences, the units' nodes."""
    sentence = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    left = starts[1:][sentence] - np.arange(len(words))
    places = np.arange(len(words))
    found = [(places, np.ones_like(places), words)]
    at, node = places, nodes[words]
    tree, levels, many = index["nodes"], index["children"], len(nodes)
    unit_nodes = [nodes]
    for level in range(1, LONGEST):
        going = (node >= 0) & (left[at] > level)
        at, node = at[going], node[going]
        after = nodes[words[at + level]]
        known = tree[levels[level - 1] - levels[0] : levels[level] - levels[0]]
        place = find(known, np.where(after >= 0, node << 32 | after, -1)) if len(known) else np.full(len(at), -1)
        at, node = at[place >= 0], place[place >= 0] + levels[level - 1]
        different, units = np.unique(node, return_inverse=True)
        found.append((at, np.full_like(at, level + 1), many + units))
        unit_nodes.append(different)
        many += len(different)
    first, length, unit = map(np.concatenate, zip(*found, strict=True))
    return Occurrences(sentence[first], first - starts[sentence[first]], length, unit), np.concatenate(unit_nodes)


def relation(words: Sequence[str], unit_nodes: Array, index: Index) -> Relation:
    """The units of one corpus (its words first) that match one another."""
    exact = np.arange(len(words))
    *forward, rows = _paraphrases(unit_nodes, index)
    pairs = [(exact, exact), _alike_stems(words), _synonyms(words, index), forward[::-1], forward]
    unit, other = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    many = [len(pair[0]) for pair in pairs]
    stage = np.repeat([EXACT, STEM, SYNONYM, PARAPHRASE, PARAPHRASE], many)
    entry = np.concatenate([np.zeros(sum(many[:3]), dtype=np.int64), rows, rows])
    named = np.repeat([False, False, False, False, True], many)
    order = np.argsort(unit, kind="stable")
    return Relation(*(column[order] for column in (unit, other, stage, entry, named)))


def _alike_stems(words: Sequence[str]) -> tuple[Array, Array]:
    _, stems = np.unique(np.array([stem(word) for word in words], dtype=object).astype(str), return_inverse=True)
    return _sharing(np.arange(len(words)), stems)


def _sharing(owner: Array, label: Array) -> tuple[Array, Array]:
    """Different owners of a label in common, each pair once in each direction."""
    order = np.argsort(label, kind="stable")
    owner, label = owner[order], label[order]
    start, end = np.searchsorted(label, label), np.searchsorted(label, label, side="right")
    many = end - start
    one = np.repeat(owner, many)
    other = owner[np.arange(many.sum()) + np.repeat(start - np.cumsum(many) + many, many)]
    codes = np.unique((one << 32 | other)[one != other])
    return codes >> 32, codes & 0xFFFFFFFF


def _synonyms(words: Sequence[str], index: Index) -> tuple[Array, Array]:
    own = find(index["synonyms"], hashes(words))
    forms = find(index["forms"], hashes(words))
    known = [(at, place) for at, place in enumerate(own.tolist()) if place >= 0]
    known += chain.from_iterable(_bases(at, word, forms[at], index) for at, word in enumerate(words))
    owner, place = np.array(known, dtype=np.int64).reshape(-1, 2).T
    starts = index["synonyms_from"]
    many = starts[place + 1] - starts[place]
    rows = np.arange(many.sum()) + np.repeat(starts[place] - np.cumsum(many) + many, many)
    _, senses = np.unique(index["synsets"][rows], return_inverse=True)
    return _sharing(np.repeat(owner, many), senses)


def _bases(at: int, word: str, form: int, index: Index) -> list[tuple[int, int]]:
    """The places of the base forms of a word among those that have synonyms."""
    synonyms = index["synonyms"]
    if form >= 0:
        bases = index["bases"][index["forms_from"][form] : index["forms_from"][form + 1]]
        return [(at, int(place)) for place in find(synonyms, bases) if place >= 0]
    if len(word) <= 2 or word.endswith("ss"):
        return []
    guesses = [hashed(word[: -len(end)] + new) for end, new in ENDINGS if word.endswith(end)]
    places = find(synonyms, np.array(guesses, dtype=np.uint64)) if guesses else ()
    return [(at, int(place)) for place in places if place >= 0][:1]


def _paraphrases(unit_nodes: Array, index: Index) -> tuple[Array, Array, Array]:
    """Units, a paraphrase that the table names for each, and the entry's number."""
    starts = index["neighbours_from"]
    unit = np.flatnonzero(unit_nodes >= 0)
    node = unit_nodes[unit]
    begin = starts[node].astype(np.int64)
    many = starts[node + 1] - begin
    rows = np.arange(many.sum()) + np.repeat(begin - np.cumsum(many) + many, many)
    here = np.full(len(starts), -1, dtype=np.int64)
    here[node] = unit
    one, other = np.repeat(unit, many), here[index["neighbours"][rows]]
    here_too = other >= 0
    return one[here_too], other[here_too], rows[here_too]
