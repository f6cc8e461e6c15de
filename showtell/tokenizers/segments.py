"""A text -> all ways to write it with the pieces of a vocabulary, those with the fewest pieces first (A* search).

With the pieces `a`, `b` and `ab`, the text `ab` has two ways: `ab`, then `a b`.
"""

import heapq
from collections.abc import Mapping, Sequence

Ids = tuple[int, ...]
INFINITE = float("inf")


def segments(text: str, pieces: Mapping[str, Sequence[int]], most: int) -> list[Ids]:
    """At most `most` ways. `pieces` maps a text to its ids, which are several if they differ only in case.

    A* orders unfinished ways by their number of pieces plus the smallest number that they still need. This bound is
    exact, so every way that is taken from the heap can be finished, and the time depends on `most`, not on the number
    of all ways.
    """
    longest = max(map(len, pieces), default=0)
    least = _least(text, pieces, longest)
    begun: list[tuple[float, int, Ids]] = [(least[0], len(text), ())]  # final number of pieces, letters left, ids
    ways: list[Ids] = []
    while begun and len(ways) < most:
        _, left, ids = heapq.heappop(begun)
        start = len(text) - left
        if not left:
            ways.append(ids)
        for end in range(start + 1, min(start + longest, len(text)) + 1):
            if least[end] < INFINITE:
                for piece in pieces.get(text[start:end], ()):
                    heapq.heappush(begun, (len(ids) + 1 + least[end], len(text) - end, (*ids, piece)))
    return ways


def _least(text: str, pieces: Mapping[str, Sequence[int]], longest: int) -> list[float]:
    """For each letter, the smallest number of pieces from there to the end; infinite if there is no way."""
    least = [INFINITE] * len(text) + [0.0]
    for start in reversed(range(len(text))):
        ends = range(start + 1, min(start + longest, len(text)) + 1)
        least[start] = min((1 + least[end] for end in ends if text[start:end] in pieces), default=INFINITE)
    return least
