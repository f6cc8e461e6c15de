r"""All matches of each pair -> the alignment that METEOR chooses, by its beam search, for all pairs at a time.

A match that shares no word with another match is always taken. For the others, a beam of partial alignments (paths)
goes through the reference from left to right. At each word a path takes one of the matches that begin there, or none.
Paths are ranked by, in this order: more gain (see `matching.gain`), fewer chunks, smaller distance, the better rank one
step before, the option that was tried earlier.

Unusual, and found by asking the Java program with small beams: a chunk counts only when it ends, that is at the word
after it. And a match's own distance does not count. Instead, a path pays the distances of all options that were tried
before the one it takes. "None" is tried last. Example: a word has two free matches, with distances 1 and 4. Taking the
first costs 0, the second costs 1, none costs 1 + 4 = 5.

A row of the arrays is a path; the paths of all pairs are searched together. The history keeps what each path took at
each step, and is read from its end.
"""

from typing import NamedTuple

import numpy as np

from showtell.metrics.meteor.matching import MOST_DISTANCE, MOST_WORDS, PLACE, Matches, gain
from showtell.metrics.meteor.tables import Array

BEAM = 40
TOGETHER = 500  # pairs that are searched at a time, so that they fit a processor's cache
# A rank packs gain, chunks and distance into one integer. `matching` refuses texts that would overflow it.
_GAIN, _CHUNK = 2 * (MOST_WORDS + 1) * MOST_DISTANCE, MOST_DISTANCE


class _Paths(NamedTuple):
    """Partial alignments: their pair, rank (smaller is better), used words of the candidate (bits), where they are."""

    pair: Array
    rank: Array
    used: Array
    end: Array  # end of the open chunk: candidate's place << PLACE | reference's place; -1 if no chunk is open
    busy: Array  # the reference's first word that is free

    def take(self, rows: Array) -> "_Paths":
        return _Paths(*(column[rows] for column in self))


class _Events(NamedTuple):
    """Words of the references where matches begin or have just ended; matches `first` to `last` begin there."""

    of_pair: Array  # where each pair's events begin
    place: Array
    first: Array
    last: Array


def align(matches: Matches, fixed: Array, pairs: int) -> Array:
    """The rows of the matches that are taken. `fixed` marks matches that share no word with another."""
    crowded = np.zeros(pairs, dtype=bool)
    crowded[matches.pair[~fixed]] = True
    taken = [np.flatnonzero(fixed & ~crowded[matches.pair])]
    hard = np.flatnonzero(crowded)
    first, end = np.searchsorted(matches.pair, hard), np.searchsorted(matches.pair, hard, side="right")
    order = np.argsort(end - first, kind="stable")
    for at in range(0, len(hard), TOGETHER):
        some = np.sort(order[at : at + TOGETHER])
        rows = np.concatenate([np.arange(first[pair], end[pair]) for pair in some])
        taken.append(rows[_search(matches.take(rows), fixed[rows])])
    return np.sort(np.concatenate(taken))


def _search(matches: Matches, fixed: Array) -> Array:
    """The rows of the matches that are taken, for pairs that all need a search."""
    pairs, pair = np.unique(matches.pair, return_inverse=True)
    events = _events(pair, matches, len(pairs))
    masks, gains, n = _masks(matches), gain(matches), len(pairs)
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
        paths = _extended(paths.take(owner), here[owner], owner, match, matches, gains, masks)
        kept = _best(paths)
        paths = paths.take(kept)
        history.append((owner[kept], match[kept]))
    return _read_back(paths, history, n)


def _events(pair: Array, matches: Matches, pairs: int) -> _Events:
    begin = pair << PLACE | matches.to
    events = np.unique(np.concatenate([begin, begin + matches.size]))
    of_pair, place = np.searchsorted(events, np.arange(pairs + 1) << PLACE), events & ((1 << PLACE) - 1)
    return _Events(of_pair, place, np.searchsorted(begin, events), np.searchsorted(begin, events, side="right"))


def _masks(matches: Matches) -> Array:
    """Which words of the candidate each match uses, as bits: words 0 and 1 are 0b11."""
    width = int((matches.at + matches.length).max()) // 64 + 1
    masks = np.zeros((len(matches.at), width), dtype=np.uint64)
    for more in range(int(matches.length.max())):
        rows = np.flatnonzero(matches.length > more)
        bit = matches.at[rows] + more
        masks[rows, bit // 64] |= np.left_shift(np.uint64(1), (bit % 64).astype(np.uint64))
    return masks


def _options(here: Array, event: Array, events: _Events, fixed: Array) -> tuple[Array, Array]:
    """For every path, what it can take at its event: matches, then none (-1). A fixed match must be taken."""
    begin = events.first[event]
    many = np.where(here, events.last[event] - begin, 0)
    none = (many == 0) | ~fixed[np.minimum(begin, len(fixed) - 1)]
    rows = many + none
    owner = np.repeat(np.arange(len(rows)), rows)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)
    return owner, np.where(place < many[owner], begin[owner] + place, -1)


def _free(paths: _Paths, owner: Array, match: Array, masks: Array) -> tuple[Array, Array]:
    """Only the options whose words of the candidate are not in use."""
    free = (match < 0) | ~(paths.used[owner] & masks[match]).any(axis=1)
    return owner[free], match[free]


def _extended(
    paths: _Paths, here: Array, owner: Array, match: Array, matches: Matches, gains: Array, masks: Array
) -> _Paths:
    some = match >= 0
    at, to, length, size = matches.at[match], matches.to[match], matches.length[match], matches.size[match]
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
    """For each option, the sum of the distances of the same path's earlier options: 1 4 0 gives 0 1 5."""
    total = np.cumsum(distance) - distance
    return np.asarray(total - total[np.searchsorted(owner, owner)])


def _best(paths: _Paths) -> Array:
    """The best `BEAM` rows of each pair, best first."""
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
