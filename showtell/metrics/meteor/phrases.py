"""Words and phrases of the captions -> which of them METEOR matches with each other, and in which stage.

Each different word and phrase is looked up once for all captions. Two words are synonyms if they share a WordNet sense,
their own or one of their base forms. WordNet's list of exceptions gives the base form (`men`: `man`), else the first of
`ENDINGS` that leaves a known word (`dogs`: `dog`).
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
    """Every word of the sentences, and every longer phrase that the table of paraphrases has.

    A unit is the number of a different word or phrase.
    """

    sentence: Array
    at: Array
    length: Array
    unit: Array


class Relation(NamedTuple):
    """Rows sorted by `unit`: a unit of a candidate, a unit of a reference (`other`) that it matches, the stage.

    If the table of paraphrases lists a pair in both directions, it has two rows, because METEOR counts two matches.
    """

    unit: Array
    other: Array
    stage: Array
    entry: Array  # row in the table of paraphrases; 0 in other stages
    named: Array  # True if the table lists the reference's phrase as a paraphrase of the candidate's


def occurrences(words: Array, starts: Array, nodes: Array, index: Index) -> tuple[Occurrences, Array]:
    """The words of all sentences, where each starts, the words' nodes in the tree -> occurrences, the units' nodes."""
    sentence = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    left = starts[1:][sentence] - np.arange(len(words))
    places = np.arange(len(words))
    rows = [(places, np.ones_like(places), words)]
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
        rows.append((at, np.full_like(at, level + 1), many + units))
        unit_nodes.append(different)
        many += len(different)
    first, length, unit = map(np.concatenate, zip(*rows, strict=True))
    return Occurrences(sentence[first], first - starts[sentence[first]], length, unit), np.concatenate(unit_nodes)


def relation(words: Sequence[str], unit_nodes: Array, index: Index) -> Relation:
    """Which units of one corpus match each other. The first units are its words."""
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
    """Pairs of different owners with a common label, once in each direction: labels a a b give (0, 1) and (1, 0)."""
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
    """(at, place) for each base form of a word that has synonyms; place is its row in the table of synonyms."""
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
    """Units, a paraphrase that the table lists for each, and the number of the entry."""
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
