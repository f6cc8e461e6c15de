"""Text <-> ids with GPT-2's byte-level BPE: every text has ids, and the ids give exactly the same text back.

The text is cut into pieces, one per word. Then the UTF-8 bytes of a piece are merged, pair by pair, in the order in
which the pairs were learnt (Sennrich et al., arXiv:1508.07909): with the merges `d o` and `do g`, the bytes `d o g`
become `do g` and then `dog`. The pattern that cuts needs Unicode's letters and numbers. `re` has no name for them, so
they are read from Python's Unicode tables. A letter that is newer than this Python counts as a sign.
"""

import heapq
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

# Unicode's white space. `\s` of `re` also has the four control characters 1c to 1f.
SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
REMEMBERED = 2**17  # the largest number of pieces whose ids are kept, for speed


def _letters() -> list[str]:
    """A printable letter for each byte: itself if it is printable, otherwise one from U+0100 on. A space is `Ġ`."""
    others = iter(range(256, 512))
    return [chr(byte if chr(byte).isprintable() and chr(byte) != " " else next(others)) for byte in range(256)]


LETTERS = _letters()
BYTES = {letter: byte for byte, letter in enumerate(LETTERS)}


def _class(kind: str) -> str:
    """All characters of a Unicode category, such as L for letters, as ranges for a `[...]` of `re`."""
    # There are no letters and no numbers from U+40000 on.
    codes = [code for code in range(0x40000) if unicodedata.category(chr(code))[0] == kind]
    starts = [code for before, code in zip([-2, *codes], codes, strict=False) if code != before + 1]
    ends = [code for code, after in zip(codes, [*codes[1:], -2], strict=True) if after != code + 1]
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in zip(starts, ends, strict=True))


@lru_cache(maxsize=1)
def pattern() -> re.Pattern[str]:
    """The pattern of a piece: a contraction; letters, numbers or signs with the space before them; or spaces.

    `a dog's 2 toys` is cut into `a`, ` dog`, `'s`, ` 2`, ` toys`.
    """
    letters, numbers = _class("L"), _class("N")
    return re.compile(
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{numbers}]+| ?[^{SPACE}{letters}{numbers}]+"
        rf"|[{SPACE}]+(?![^{SPACE}])|[{SPACE}]+"
    )


class BytePairs:
    """`tokens` are in the order of their ids, written with the letters of BYTES. `merges` are pairs, such as `Ġ t`.

    Raises ValueError if tokens and merges do not fit together.
    """

    def __init__(self, tokens: Sequence[str], merges: Sequence[str]) -> None:
        ids = {token: index for index, token in enumerate(tokens)}
        if len(ids) < len(tokens):
            raise ValueError("two ids have the same token")
        self.bytes = [_bytes(token) for token in tokens]
        missing = [letter for letter in LETTERS if letter not in ids]
        if missing:
            raise ValueError(f"{len(missing)} of the 256 bytes have no token (first: {missing[0]!r})")
        self.alphabet = [ids[letter] for letter in LETTERS]
        self.merges = {(ids[a], ids[b]): (rank, ids[a + b]) for rank, (a, b) in enumerate(_pairs(merges, ids))}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        return [i for piece in pattern().findall(text) for i in self._piece(piece)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids. If they have only half of a character, U+FFFD replaces it."""
        return b"".join(self.bytes[i] for i in ids).decode("utf-8", "replace")

    def _piece(self, piece: str) -> list[int]:
        ids = self._known.get(piece)
        if ids is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            ids = self._known[piece] = self._merge([self.alphabet[byte] for byte in piece.encode()])
        return ids

    def _merge(self, ids: list[int]) -> list[int]:
        """Merge the pair that was learnt first (of equal pairs, the leftmost), until no pair can be merged.

        A heap finds the next pair. It keeps long pieces fast, for example 100,000 letters without a space.
        """
        after, before = list(range(1, len(ids) + 1)), list(range(-1, len(ids) - 1))
        waiting: list[tuple[int, int]] = []

        def offer(left: int, right: int) -> None:
            if left >= 0 and right < len(ids) and (pair := (ids[left], ids[right])) in self.merges:
                heapq.heappush(waiting, (self.merges[pair][0], left))

        for left in range(len(ids) - 1):
            offer(left, left + 1)
        while waiting:
            rank, left = heapq.heappop(waiting)
            right = after[left]
            merge = self.merges.get((ids[left], ids[right])) if right < len(ids) else None
            if merge is None or merge[0] != rank:
                continue  # one of the two was merged with another id in the meantime
            ids[left], ids[right] = merge[1], -1
            after[left] = after[right]
            if after[left] < len(ids):
                before[after[left]] = left
            offer(before[left], left)
            offer(left, after[left])
        return [i for i in ids if i >= 0]


def _bytes(token: str) -> bytes:
    try:
        return bytes(BYTES[letter] for letter in token)
    except KeyError as error:
        raise ValueError(f"token {token!r} has a letter that stands for no byte: {error.args[0]!r}") from None


def _pairs(merges: Sequence[str], ids: dict[str, int]) -> Iterator[tuple[str, str]]:
    for merge in merges:
        left, _, right = merge.partition(" ")
        unknown = [token for token in (left, right, left + right) if token not in ids]
        if unknown:
            raise ValueError(f"merge {merge!r} has a token without id: {unknown[0]!r}")
        yield left, right
