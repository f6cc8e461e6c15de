"""Photos seen -> groups that are one picture: the same file, the same pixels in another file, or nearly the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from rich.console import Console

from showtell.data.images import open_image
from showtell.data.record import Record
from showtell.doctor.likeness import ALIKE_CROPPED, candidates, same_colours, same_picture
from showtell.doctor.photos import Seen
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar

SAME_FILE, SAME_PIXELS, NEAR = "same file", "same pixels", "nearly the same"
KINDS = (SAME_FILE, SAME_PIXELS, NEAR)
GIANT = 30_000_000  # pixels: larger photos are not decoded at full size a second time
SURELY = 0.995  # pixels are compared where thumbnails are so much alike


@dataclass(frozen=True)
class Copies:
    """Two or more photos that are one picture; `kind` is the loosest tie that holds them together."""

    kind: str
    records: tuple[Record, ...]

    @property
    def splits(self) -> set[str]:
        return {record.split for record in self.records}

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs of its photos stand in one split, and how many in two."""
        across = sum(a.split != b.split for a, b in combinations(self.records, 2))
        return len(self.records) * (len(self.records) - 1) // 2 - across, across


class Groups:
    """Things that belong together, joined two at a time."""

    def __init__(self, count: int) -> None:
        self.parents = list(range(count))

    def of(self, thing: int) -> int:
        while self.parents[thing] != thing:
            self.parents[thing] = thing = self.parents[self.parents[thing]]
        return thing

    def join(self, a: int, b: int) -> None:
        a, b = sorted((self.of(a), self.of(b)))
        self.parents[b] = a


def find_copies(seen: Sequence[Seen], console: Console | None = None) -> tuple[list[Copies], int]:
    """The groups, those that lie across splits first; and how many alike pairs were too many to look at."""
    groups, kinds = Groups(len(seen)), dict[int, set[str]]()
    firsts = _join_files(seen, groups, kinds)
    dropped = _join_pictures(seen, firsts, groups, kinds, console)
    members: dict[int, list[int]] = {}
    for index in range(len(seen)):
        members.setdefault(groups.of(index), []).append(index)
    found = [
        Copies(_loosest(kinds, indices), tuple(seen[i].record for i in indices))
        for indices in members.values()
        if len(indices) > 1
    ]
    return sorted(found, key=lambda copies: (len(copies.splits) == 1, KINDS.index(copies.kind))), dropped


def _loosest(kinds: dict[int, set[str]], indices: Iterable[int]) -> str:
    return max((kind for i in indices for kind in kinds.get(i, ())), key=KINDS.index)


def _join_files(seen: Sequence[Seen], groups: Groups, kinds: dict[int, set[str]]) -> list[int]:
    """Join what has the same bytes; returns one of each, which stands for all in what follows."""
    firsts: dict[str, int] = {}
    for index, photo in enumerate(seen):
        first = firsts.setdefault(photo.digest, index)
        if first != index:
            groups.join(first, index)
            kinds.setdefault(first, set()).add(SAME_FILE)
    return list(firsts.values())


def _join_pictures(
    seen: Sequence[Seen], firsts: list[int], groups: Groups, kinds: dict[int, set[str]], console: Console | None
) -> int:
    if not firsts:
        return 0
    show, total = console is not None, len(firsts)
    with Bar(console or Console(stderr=True), "comparing", total, "photo", show=show) as bar:
        pairs, dropped = candidates(np.stack([seen[index].thumb for index in firsts]), bar.advance)
    with Bar(console or Console(stderr=True), "looking closely", len(pairs), "pair", show=show) as bar:
        for pair in pairs:
            bar.advance()
            a, b = firsts[pair.first], firsts[pair.second]
            if groups.of(a) != groups.of(b) and _one_picture(seen[a], seen[b], pair.likeness):
                groups.join(a, b)
                kinds.setdefault(a, set()).add(SAME_PIXELS if _same_pixels(seen[a], seen[b], pair.likeness) else NEAR)
    return dropped


def _one_picture(a: Seen, b: Seen, likeness: float) -> bool:
    return same_colours(a.tint, b.tint) and same_picture(a.thumb, b.thumb, cropped=likeness >= ALIKE_CROPPED)


def _same_pixels(a: Seen, b: Seen, likeness: float) -> bool:
    """Decoded at full size, so only where it can be."""
    if likeness < SURELY or sorted(a.size) != sorted(b.size) or a.size[0] * a.size[1] > GIANT:
        return False
    try:
        first, second = open_image(a.record.path), open_image(b.record.path)
    except InputError:
        return False
    return first.size == second.size and first.tobytes() == second.tobytes()
