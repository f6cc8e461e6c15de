"""A text -> the ways to make it of pieces, those of the fewest pieces first."""

import heapq
from collections.abc import Mapping, Sequence

Ids = tuple[int, ...]
INFINITE = float("inf")


def segments(text: str, pieces: Mapping[str, Sequence[int]], most: int) -> list[Ids]:
    """At most so many ways; `pieces` has the ids by their texts, several where they differ in case alone.

    A way begun is as long as what it has and the least that it still needs, which is known beforehand: so each that is
    taken up leads to an end, and their number does not grow with the number of all ways.
    """
    longest = max(map(len, pieces), default=0)
    least = _least(text, pieces, longest)
    begun: list[tuple[float, int, Ids]] = [(least[0], len(text), ())]  # length at the end, letters left, ids
    found: list[Ids] = []
    while begun and len(found) < most:
        _, left, ids = heapq.heappop(begun)
        start = len(text) - left
        if not left:
            found.append(ids)
        for end in range(start + 1, min(start + longest, len(text)) + 1):
            if least[end] < INFINITE:
                for piece in pieces.get(text[start:end], ()):
                    heapq.heappush(begun, (len(ids) + 1 + least[end], len(text) - end, (*ids, piece)))
    return found


def _least(text: str, pieces: Mapping[str, Sequence[int]], longest: int) -> list[float]:
    """How many pieces the rest needs, from each letter on; infinite where it cannot be written."""
    least = [INFINITE] * len(text) + [0.0]
    for start in reversed(range(len(text))):
        ends = range(start + 1, min(start + longest, len(text)) + 1)
        least[start] = min((1 + least[end] for end in ends if text[start:end] in pieces), default=INFINITE)
    return least
