r"""All matches of each pair -> the alignment that METEOR chooses, by its beam search, for all pairs at a time.

A match that alone has all its words is kept. Among the others a beam of partial alignments goes through the reference
from left to right; each takes one of the matches that begin at the word, or none. Better is, in this order: more gain
(an exact match 2, any other the halves of its two lengths rounded down, so one word for another by stem, synonym or
paraphrase gains nothing), fewer chunks, less distance, what was better or was tried earlier before.

Unusual, and found by asking the Java program with small beams: a chunk counts only when it ends, so at the word after
it; and a match's own distance never counts, but that of all matches which could have been taken in its place and were
tried before it. So leaving a word out costs the distances of all its free matches.

Rows of arrays are partial alignments, of all pairs together; what each took is kept step by step, and read back from
the end.
"""

from typing import NamedTuple

import numpy as np

from showtell.metrics.meteor.matching import MOST_DISTANCE, MOST_WORDS, PLACE, Matches, gain
from showtell.metrics.meteor.tables import Array

BEAM = 40
TOGETHER = 500  # pairs that are searched at a time: what fits a processor's cache
# In a rank, of which the rest is the distance. `matching` refuses texts that would not fit.
_GAIN, _CHUNK = 2 * (MOST_WORDS + 1) * MOST_DISTANCE, MOST_DISTANCE


class _Paths(NamedTuple):
    """Partial alignments: their pair, rank (smaller is better), the candidate's words in use, where they stand."""

    pair: Array
    rank: Array
    used: Array
    end: Array  # of the open chunk, place in the candidate << PLACE | place in the reference; -1 without
    busy: Array  # the first word of the reference that is free

    def take(self, rows: Array) -> "_Paths":
        return _Paths(*(column[rows] for column in self))


class _Events(NamedTuple):
    """Words of the references at which matches begin or have ended: where, and their matches from `first` to `last`."""

    of_pair: Array  # where each pair's events begin
    place: Array
    first: Array
    last: Array


def align(found: Matches, fixed: Array, pairs: int) -> Array:
    """Rows of the matches that are taken."""
    crowded = np.zeros(pairs, dtype=bool)
    crowded[found.pair[~fixed]] = True
    taken = [np.flatnonzero(fixed & ~crowded[found.pair])]
    hard = np.flatnonzero(crowded)
    first, end = np.searchsorted(found.pair, hard), np.searchsorted(found.pair, hard, side="right")
    order = np.argsort(end - first, kind="stable")
    for at in range(0, len(hard), TOGETHER):
        some = np.sort(order[at : at + TOGETHER])
        rows = np.concatenate([np.arange(first[pair], end[pair]) for pair in some])
        taken.append(rows[_search(found.take(rows), fixed[rows])])
    return np.sort(np.concatenate(taken))


def _search(found: Matches, fixed: Array) -> Array:
    """The rows taken of matches all of whose pairs need a search."""
    pairs, pair = np.unique(found.pair, return_inverse=True)
    events = _events(pair, found, len(pairs))
    masks, gains, n = _masks(found), gain(found), len(pairs)
    nothing = np.zeros(n, np.int64)
    paths = _Paths(np.arange(n), nothing, np.zeros((n, masks.shape[1]), np.uint64), nothing - 1, nothing)
    history: list[tuple[Array, Array]] = []
    for step in range(int(np.diff(events.of_pair).max())):
        event = events.of_pair[paths.pair] + step
        here = event < events.of_pair[paths.pair + 1]
        event = np.where(here, event, 0)
        here &= paths.busy <= events.place[event]
        owner, match = _options(here, event, events, fixed)
        owner, match = _free(paths, owner, match, masks)
        paths = _extended(paths.take(owner), here[owner], owner, match, found, gains, masks)
        kept = _best(paths)
        paths = paths.take(kept)
        history.append((owner[kept], match[kept]))
    return _read_back(paths, history, n)


def _events(pair: Array, found: Matches, pairs: int) -> _Events:
    begin = pair << PLACE | found.to
    events = np.unique(np.concatenate([begin, begin + found.size]))
    of_pair, place = np.searchsorted(events, np.arange(pairs + 1) << PLACE), events & ((1 << PLACE) - 1)
    return _Events(of_pair, place, np.searchsorted(begin, events), np.searchsorted(begin, events, side="right"))


def _masks(found: Matches) -> Array:
    """The words of the candidate that each match uses, as bits."""
    width = int((found.at + found.length).max()) // 64 + 1
    masks = np.zeros((len(found.at), width), dtype=np.uint64)
    for more in range(int(found.length.max())):
        rows = np.flatnonzero(found.length > more)
        bit = found.at[rows] + more
        masks[rows, bit // 64] |= np.left_shift(np.uint64(1), (bit % 64).astype(np.uint64))
    return masks


def _options(here: Array, event: Array, events: _Events, fixed: Array) -> tuple[Array, Array]:
    """For every path what it can take at its event; none (-1) is last, and not allowed beside a fixed match."""
    begin = events.first[event]
    many = np.where(here, events.last[event] - begin, 0)
    none = (many == 0) | ~fixed[np.minimum(begin, len(fixed) - 1)]
    rows = many + none
    owner = np.repeat(np.arange(len(rows)), rows)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)
    return owner, np.where(place < many[owner], begin[owner] + place, -1)


def _free(paths: _Paths, owner: Array, match: Array, masks: Array) -> tuple[Array, Array]:
    """Without the options whose words of the candidate are in use."""
    free = (match < 0) | ~(paths.used[owner] & masks[match]).any(axis=1)
    return owner[free], match[free]


def _extended(
    paths: _Paths, here: Array, owner: Array, match: Array, found: Matches, gains: Array, masks: Array
) -> _Paths:
    some = match >= 0
    at, to, length, size = found.at[match], found.to[match], found.length[match], found.size[match]
    ends = here & (paths.end >= 0) & ~(some & (paths.end == (at << PLACE | to)))
    passed = _before(owner, np.where(some, np.abs(at - to), 0))
    after = np.where(some, at + length << PLACE | to + size, np.where(here, -1, paths.end))
    return _Paths(
        paths.pair,
        paths.rank + ends * _CHUNK + passed - np.where(some, gains[match] * _GAIN, 0),
        np.where(some[:, None], paths.used | masks[match], paths.used),
        after,
        np.where(some, to + size, paths.busy),
    )


def _before(owner: Array, distance: Array) -> Array:
    """The sum of the distances of the options before each of the same path."""
    total = np.cumsum(distance) - distance
    return np.asarray(total - total[np.searchsorted(owner, owner)])


def _best(paths: _Paths) -> Array:
    """At most `BEAM` rows of each pair, the better first."""
    order = np.lexsort((paths.rank, paths.pair))
    pair = paths.pair[order]
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return order[place < BEAM]


def _read_back(paths: _Paths, history: list[tuple[Array, Array]], pairs: int) -> Array:
    rows = np.searchsorted(paths.pair, np.arange(pairs))  # each pair's best
    taken = []
    for owner, match in reversed(history):
        taken.append(match[rows])
        rows = owner[rows]
    every = np.concatenate(taken)
    return every[every >= 0]
