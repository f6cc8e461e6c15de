"""Pairs of a candidate and a reference -> every match of a word or phrase between them, with array operations.

Each different text is normalised once, and each different pair is matched once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from showtell.metrics.meteor.phrases import EXACT, Relation, occurrences, relation
from showtell.metrics.meteor.tables import Array, Index, find, hashes
from showtell.plumbing.errors import InputError

PLACE = 20  # bits for a word's place when columns are packed into one integer
MOST_WORDS, MOST_DISTANCE = 8191, 1 << 35  # limits of a rank in `search`: matched words, sum of all distances


class Sentences(NamedTuple):
    """All different texts as one array of words (ids into `spelled`), and where each text begins."""

    words: Array
    starts: Array
    spelled: Sequence[str]
    function: Array  # for each of `words`, whether it is a function word (`the`, `of`)

    @property
    def lengths(self) -> Array:
        return np.diff(self.starts)


class Matches(NamedTuple):
    """Sorted by pair, then by place in the reference (`to`, `size` words), then in the order of `_sorted`."""

    pair: Array
    at: Array  # place in the candidate
    length: Array
    to: Array
    size: Array
    stage: Array

    def take(self, rows: Array) -> "Matches":
        return Matches(*(column[rows] for column in self))


def sentences(texts: Sequence[str], index: Index) -> Sentences:
    ids: dict[str, int] = {}
    split = [text.split(" ") if text else [] for text in texts]
    words = np.array([ids.setdefault(word, len(ids)) for of_text in split for word in of_text], dtype=np.int64)
    starts = np.cumsum([0, *map(len, split)])
    spelled = list(ids)
    function = find(index["function_words"], hashes(spelled)) >= 0 if spelled else np.zeros(0, dtype=bool)
    return Sentences(words, starts, spelled, function[words])


def matches(known: Sentences, candidate: Array, reference: Array, index: Index) -> Matches:
    """All matches of each pair of sentences."""
    if not known.spelled:
        return Matches(*np.zeros((6, 0), dtype=np.int64))
    nodes = find(index["words"], hashes(known.spelled))
    phrases, unit_nodes = occurrences(known.words, known.starts, nodes, index)
    alike = relation(known.spelled, unit_nodes, index)
    table = _Table(phrases, alike, len(known.lengths))
    return _sorted(*table.join(candidate, reference, known.lengths))


def _check(matches: Array, ours: Array, theirs: Array) -> None:
    """Raises InputError if a pair has too many words or matches for the ranks of `search`."""
    most = np.minimum(np.minimum(ours, theirs), matches)
    over = (most > MOST_WORDS) | (matches * np.maximum(ours, theirs) >= MOST_DISTANCE)
    for row in np.flatnonzero(over)[:1]:
        raise InputError(
            f"METEOR cannot compare a caption of {ours[row]:,} words with a reference of {theirs[row]:,}: "
            f"{int(matches[row]):,} matches are too many; shorten it, or name only other metrics"
        )


class _Table:
    """Occurrences sorted by sentence and unit, and which units each unit matches. A unit is a word or a phrase."""

    def __init__(self, phrases: "tuple[Array, ...]", alike: Relation, many: int) -> None:
        sentence, at, length, unit = phrases
        self.units = int(max(alike.unit.max(initial=0), alike.other.max(initial=0), unit.max(initial=0))) + 1
        keys = sentence * self.units + unit
        order = np.argsort(keys, kind="stable")
        self.keys = keys[order]
        self.at, self.length, self.unit = at[order], length[order], unit[order]
        self.first = np.searchsorted(self.keys, np.arange(many + 1) * self.units)
        self.alike = alike
        self.rows = np.searchsorted(alike.unit, np.arange(self.units + 1))

    def join(self, candidate: Array, reference: Array, lengths: Array) -> tuple[Matches, Array, Array]:
        """The matches, unsorted; and for each match `entry` and `named` of its `Relation`."""
        pair, ours = _spread(self.first[candidate], self.first[candidate + 1])
        row, relation = _spread(self.rows[self.unit[ours]], self.rows[self.unit[ours] + 1])
        wanted = reference[pair[row]] * self.units + self.alike.other[relation]
        begin = np.searchsorted(self.keys, wanted)
        there = begin < len(self.keys)
        there[there] = self.keys[begin[there]] == wanted[there]
        row, relation, begin, wanted = row[there], relation[there], begin[there], wanted[there]
        end = np.searchsorted(self.keys, wanted, side="right")
        _check(np.bincount(pair[row], end - begin, len(candidate)), lengths[candidate], lengths[reference])
        met, theirs = _spread(begin, end)
        row, relation = row[met], relation[met]
        mine = ours[row]
        joined = Matches(
            pair[row],
            self.at[mine],
            self.length[mine],
            self.at[theirs],
            self.length[theirs],
            self.alike.stage[relation],
        )
        return joined, self.alike.entry[relation], self.alike.named[relation]


def _spread(begin: Array, end: Array) -> tuple[Array, Array]:
    """Ranges -> for every place in them, the range's number and the place: 5..7 and 2..3 give 0 0 1 and 5 6 2."""
    many = end - begin
    owner = np.repeat(np.arange(len(many)), many)
    return owner, np.arange(len(owner)) + np.repeat(begin - np.cumsum(many) + many, many)


def _sorted(matches: Matches, entry: Array, named: Array) -> Matches:
    """Sort by pair, place in the reference, stage. The search tries matches in this order, and that decides ties.

    Exact, stem and synonym matches are then sorted by place in the candidate. Paraphrases that the table lists under
    the reference's phrase come first, by entry; then those under the candidate's phrase, by place, length and entry.
    """
    step = ((matches.pair << PLACE | matches.to) << 2 | matches.stage) << 1 | named
    # Entries are numbered by the length of their phrase, then in the table's order.
    theirs = entry << PLACE | matches.at
    ours = (matches.at << 3 | matches.length) << 32 | entry
    return matches.take(np.lexsort((np.where(named, ours, theirs), step)))


def alone(matches: Matches, ours: Array, theirs: Array) -> Array:
    """Which matches share no word with another match. `ours`, `theirs`: where the words of each pair begin."""
    single = np.ones(len(matches.pair), dtype=bool)
    for starts, at, length in ((ours, matches.at, matches.length), (theirs, matches.to, matches.size)):
        begin = starts[matches.pair] + at
        match, word = _spread(begin, begin + length)
        crowded = np.bincount(word, minlength=int(starts[-1]))[word] > 1
        single[match[crowded]] = False
    return single


def gain(matches: Matches) -> Array:
    """What the search maximises first: 2 for an exact match, else half the words of each side, rounded down.

    A word matched by its stem gains 0 + 0, a paraphrase of 2 words by 5 gains 1 + 2.
    """
    return np.where(matches.stage == EXACT, 2, matches.length // 2 + matches.size // 2)
