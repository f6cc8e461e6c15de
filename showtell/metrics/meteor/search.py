"""All matches of each pair -> the alignment that METEOR chooses, by its beam search, for all pairs at a time.

A match that alone has all its words is kept. Among the others a beam of partial alignments goes through the candidate
from left to right, each taking one match of the word or none. Better is, in this order: more gain (an exact
match 2, any other the halves of its two lengths rounded down, so one word for another by stem, synonym or paraphrase
gains nothing), fewer chunks, more matches, a smaller sum of distances, what was reached first.

Unusual: rows of arrays are partial alignments, of all pairs together; what each took is kept step by step, and read
back from the end.
"""

from typing import NamedTuple

import numpy as np

from showtell.metrics.meteor.matching import Matches, gain
from showtell.metrics.meteor.tables import Array

BEAM = 40  # as many as the jar has, but all different: see `_best`
TOGETHER = 4000  # pairs that are searched at a time: what fits a processor's cache
_CAP = 1 << 10  # above any gain, number of chunks or matches of one pair


class _Paths(NamedTuple):
    """Partial alignments: their pair, rank (smaller is better), the reference's words in use, where they stand."""

    pair: Array
    rank: Array
    used: Array
    last: Array  # place in the candidate << 20 | place in the reference, where the last match ended
    busy: Array  # the first word of the candidate that is free

    def take(self, rows: Array) -> "_Paths":
        return _Paths(*(column[rows] for column in self))


def align(found: Matches, fixed: Array, pairs: int) -> Array:
    """Rows of the matches that are taken."""
    crowded = np.zeros(pairs, dtype=bool)
    crowded[found.pair[~fixed]] = True
    taken = [np.flatnonzero(fixed & ~crowded[found.pair])]
    hard = np.flatnonzero(crowded)
    first, end = np.searchsorted(found.pair, hard), np.searchsorted(found.pair, hard, side="right")
    steps = np.maximum.reduceat(found.at, first) if len(hard) else hard
    order = np.argsort(steps, kind="stable")
    for at in range(0, len(hard), TOGETHER):
        some = np.sort(order[at : at + TOGETHER])
        rows = np.concatenate([np.arange(first[pair], end[pair]) for pair in some])
        taken.append(rows[_search(found.take(rows), fixed[rows])])
    return np.sort(np.concatenate(taken))


def _search(found: Matches, fixed: Array) -> Array:
    """The rows taken of matches all of whose pairs need a search."""
    pairs, pair = np.unique(found.pair, return_inverse=True)
    new_event = np.diff(pair << 12 | found.at, prepend=-1) != 0
    first = np.append(np.flatnonzero(new_event), len(pair))  # of each event: a word at which matches begin
    event_pair = pair[first[:-1]]
    event_of = np.searchsorted(event_pair, np.arange(len(pairs) + 1))
    masks = _masks(found)
    costs = gain(found)
    n = len(pairs)
    nothing = np.zeros(n, np.int64)
    paths = _Paths(np.arange(n), nothing, np.zeros((n, masks.shape[1]), np.uint64), nothing - 1, nothing)
    history: list[tuple[Array, Array]] = []
    for step in range(int(np.diff(event_of).max())):
        event = event_of[paths.pair] + step
        event = np.where(event < event_of[paths.pair + 1], event, -1)
        owner, match = _options(paths, event, first, found, fixed)
        owner, match = _free(paths, owner, match, masks)
        paths = _extended(paths.take(owner), match, found, costs, masks)
        kept = _best(paths)
        paths = paths.take(kept)
        history.append((owner[kept], match[kept]))
    return _read_back(paths, history, n)


def _masks(found: Matches) -> Array:
    """The words of the reference that each match uses, as bits."""
    width = int((found.to + found.size).max()) // 64 + 1
    masks = np.zeros((len(found.to), width), dtype=np.uint64)
    for more in range(int(found.size.max())):
        rows = np.flatnonzero(found.size > more)
        bit = found.to[rows] + more
        masks[rows, bit // 64] |= np.left_shift(np.uint64(1), (bit % 64).astype(np.uint64))
    return masks


def _options(paths: _Paths, event: Array, first: Array, found: Matches, fixed: Array) -> tuple[Array, Array]:
    """For every path what it can take at its event; none (-1) is last, and not allowed beside a fixed match."""
    begin = first[event]
    here = (event >= 0) & (paths.busy <= found.at[np.minimum(begin, len(found.at) - 1)])
    many = np.where(here, first[event + 1] - begin, 0)
    none = ~(here & fixed[np.minimum(begin, len(fixed) - 1)])
    rows = many + none
    owner = np.repeat(np.arange(len(rows)), rows)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)
    return owner, np.where(place < many[owner], begin[owner] + place, -1)


def _free(paths: _Paths, owner: Array, match: Array, masks: Array) -> tuple[Array, Array]:
    """Without the options whose words of the reference are in use."""
    free = (match < 0) | ~(paths.used[owner] & masks[match]).any(axis=1)
    return owner[free], match[free]


def _extended(paths: _Paths, match: Array, found: Matches, gains: Array, masks: Array) -> _Paths:
    some = match >= 0
    at, to = found.at[match], found.to[match]
    new_chunk = paths.last != (at << 20 | to)
    worse = ((_CAP * -gains[match] + new_chunk) * _CAP - 1) * (_CAP * 64) + np.abs(at - to)
    return _Paths(
        paths.pair,
        paths.rank + np.where(some, worse, 0),
        np.where(some[:, None], paths.used | masks[match], paths.used),
        np.where(some, at + found.length[match] << 20 | to + found.size[match], paths.last),
        np.where(some, at + found.length[match], paths.busy),
    )


def _best(paths: _Paths) -> Array:
    """At most `BEAM` rows of each pair, the better first, and of those that leave the same to do only the best."""
    state = [paths.busy, paths.last, *paths.used.T, paths.pair]
    order = np.lexsort((paths.rank, *state))
    new = np.zeros(len(order), dtype=bool)
    for column in state:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    new[:1] = True
    order = np.sort(order[new])
    order = order[np.lexsort((paths.rank[order], paths.pair[order]))]
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
