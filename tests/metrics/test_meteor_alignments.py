"""METEOR's choice among alignments: what the Java program answers to made-up texts, and a plain search in loops.

The Java program's answers were taken with `-x BEAM -writeAlignments` and a table of paraphrases made by hand (`-a`).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics.meteor import matching, search, tables

TEXTS = {"synsets": ["dog", "1", "hound", "1", ""], "exceptions": ["sit", "sat", ""], "function": ["the", ""]}
BOY = ("small", "little boy"), ("child", "little boy")
PAIRS = [("b c", "d"), ("d", "b c"), ("b", "e"), ("c e", "b d"), ("dog", "a dog"), ("a", "b c"), ("e e", "d a")]

# Beam, candidate, reference, matches as places of their first words.
JAVAS = [
    (1, "x", "x p x", [(0, 0)]),
    (2, "x", "x p x", [(0, 2)]),
    (40, "q x", "x p x", [(1, 0)]),
    (40, "q x", "p x p x", [(1, 3)]),
    (40, "x q x", "x p x", [(0, 0), (2, 2)]),
    (3, "x q x", "p x x x", [(0, 1), (2, 2)]),
    (40, "x q x", "p x x x", [(0, 1), (2, 3)]),
    (3, "x y", "x y x y", [(0, 0), (1, 1)]),
    (40, "x y", "x y x y", [(0, 2), (1, 3)]),
    (40, "x x", "x x x", [(0, 0), (1, 1)]),
    (2, "x y z", "x p x p x y z", [(0, 2), (1, 5), (2, 6)]),
    (3, "x y z", "x p x p x y z", [(0, 4), (1, 5), (2, 6)]),
    (2, "x y x", "x p x y x", [(0, 2), (1, 3), (2, 0)]),
    (3, "x y x", "x p x y x", [(0, 2), (1, 3), (2, 4)]),
]
# The same with a table of paraphrases: those listed at the reference's phrase are tried first, the shorter before.
JAVAS_PHRASES = [
    (1, [BOY[0], BOY[1]], "z child q small", "r little boy", [(1, 1)]),
    (1, [BOY[1][::-1], BOY[0][::-1]], "z small q child", "r little boy", [(3, 1)]),
    (1, [BOY[0], BOY[1][::-1]], "z small q child", "r little boy", [(3, 1)]),
    (1, [("a b", "s"), ("a", "p q")], "z s k p q", "r a b", [(3, 1)]),
    (1, [("p q", "a"), ("s", "a b")], "z s k p q", "r a b", [(1, 1)]),
    (3, [("has a", "carries a"), ("has", "carries")], "k has a", "o carries a m a", [(1, 1)]),
    (40, [("has a", "carries a"), ("has", "carries")], "k has a", "o carries a m a", [(2, 4)]),
    (40, [("a b c", "d")], "q a b c", "d k a", [(1, 2)]),
    (40, [("a b c d", "e")], "q a b c d", "e k a", [(1, 0)]),
]


def index_of(pairs):
    return tables.build(TEXTS, [tuple(zip(*pairs, strict=True))])


def found_and_taken(index, candidate, reference):
    known = matching.sentences([candidate, reference], index)
    found = matching.matches(known, np.array([0]), np.array([1]), index)
    fixed = matching.alone(found, *(np.array([0, length]) for length in known.lengths))
    return found, fixed, search.align(found, fixed, 1)


def places(found, taken):
    return sorted(zip(found.at[taken].tolist(), found.to[taken].tolist(), strict=True))


@pytest.mark.parametrize(("beam", "candidate", "reference", "chosen"), JAVAS)
def test_of_several_places_that_is_taken_which_the_java_program_takes(beam, candidate, reference, chosen, monkeypatch):
    monkeypatch.setattr(search, "BEAM", beam)
    found, _, taken = found_and_taken(index_of(PAIRS), candidate, reference)
    assert places(found, taken) == chosen


@pytest.mark.parametrize(("beam", "pairs", "candidate", "reference", "chosen"), JAVAS_PHRASES)
def test_of_several_phrases_that_is_taken_which_the_java_program_takes(
    beam, pairs, candidate, reference, chosen, monkeypatch
):
    monkeypatch.setattr(search, "BEAM", beam)
    found, _, taken = found_and_taken(index_of(pairs), candidate, reference)
    assert places(found, taken) == chosen


def plainly(found, fixed, beam, length):
    """The search in loops: a path is (-gain, chunks, distance), the open chunk's end, the free word, words, matches."""
    gains, paths = matching.gain(found), [((0, 0, 0), None, 0, frozenset(), [])]
    for place in range(length + 1):
        longer = []
        for (gain, chunks, distance), end, free, used, taken in paths:
            if free > place:
                longer.append(((gain, chunks, distance), end, free, used, taken))
                continue
            here = np.flatnonzero(found.to == place)
            for match in here:
                at, size = found.at[match], found.size[match]
                words = frozenset(range(at, at + found.length[match]))
                if not words & used:
                    ended = end not in (None, (at, place))
                    rank = (gain - gains[match], chunks + ended, distance)
                    after = (at + found.length[match], place + size)
                    longer.append((rank, after, place + size, used | words, [*taken, match]))
                    distance += abs(at - place)
            if not fixed[here].any():
                longer.append(((gain, chunks + (end is not None), distance), None, free, used, taken))
        paths = sorted(longer, key=lambda path: path[0])[:beam]
    return paths[0][-1]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=9), min_size=2, max_size=2), st.sampled_from([1, 2, 5, 40]))
def test_arrays_find_what_a_search_in_loops_finds(texts, beam):
    candidate, reference = (" ".join("dog" if word == "a" else word for word in text) for text in texts)
    kept, search.BEAM = search.BEAM, beam
    try:
        found, fixed, taken = found_and_taken(index_of(PAIRS), candidate, reference)
    finally:
        search.BEAM = kept
    assert sorted(plainly(found, fixed, beam, len(texts[1]))) == taken.tolist()


def test_pairs_together_are_aligned_as_each_alone():
    index = index_of(PAIRS)
    words = np.random.default_rng(0).choice(list("bcde"), (40, 8))
    known = matching.sentences([" ".join(row[: 1 + at % 8]) for at, row in enumerate(words)], index)
    ours, theirs = np.arange(0, 40, 2), np.arange(1, 40, 2)
    found = matching.matches(known, ours, theirs, index)
    starts = (np.cumsum([0, *known.lengths[side]]) for side in (ours, theirs))
    together = found.take(search.align(found, matching.alone(found, *starts), 20))
    for pair in range(20):
        texts = (" ".join(words[side][: 1 + side % 8]) for side in (2 * pair, 2 * pair + 1))
        alone, _, taken = found_and_taken(index, *texts)
        assert places(together, together.pair == pair) == places(alone, taken)
