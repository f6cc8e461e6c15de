"""All the ways to make a text of pieces, and the first of them where there are too many."""

import itertools

import pytest

from showtell.tokenizers.segments import segments

PIECES = {"a": [1], "b": [2, 3], "ab": [4], "ba": [5], "aab": [6]}
TEXTS = {1: "a", 2: "b", 3: "b", 4: "ab", 5: "ba", 6: "aab"}


@pytest.mark.parametrize(
    "text", ["".join(letters) for size in range(1, 6) for letters in itertools.product("ab", repeat=size)]
)
def test_they_are_those_of_a_brute_search_the_shortest_first(text):
    tried = (way for size in range(1, len(text) + 1) for way in itertools.product(TEXTS, repeat=size))
    found = segments(text, PIECES, 10**6)
    assert sorted(found) == sorted(way for way in tried if "".join(TEXTS[piece] for piece in way) == text)
    assert list(map(len, found)) == sorted(map(len, found))
    assert segments(text, PIECES, 3) == found[:3]


def test_a_text_that_no_pieces_make_has_none():
    assert segments("abc", PIECES, 5) == segments("abc", {}, 5) == []


def test_a_long_text_has_its_shortest_ways_at_once():
    """2^199 ways; a search that takes up all that are begun would never end."""
    found = segments("a" * 200, {"a" * size: [size] for size in range(1, 201)}, 300)
    assert found[0] == (200,) and list(map(len, found)) == [1] + [2] * 199 + [3] * 100
