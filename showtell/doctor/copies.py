"""Photos -> groups of copies: the same file, the same pixels in another file, or nearly the same picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from rich.console import Console

from showtell.data.images import open_image
from showtell.data.record import Record
from showtell.doctor.likeness import ALIKE_CROPPED, candidates, same_colours, same_picture
from showtell.doctor.photos import Seen
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar

SAME_FILE, SAME_PIXELS, NEAR = "same file", "same pixels", "nearly the same"
KINDS = (SAME_FILE, SAME_PIXELS, NEAR)
GIANT = 30_000_000  # pixels: decoding a larger photo a second time takes too long
SURELY = 0.995  # compare pixels only if the thumbnails are at least this similar


@dataclass(frozen=True)
class Copies:
    """Two or more photos of the same picture; `kind` is the weakest match among them.

    Example: a and b are the same file, b and c are nearly the same. The group a, b, c is `nearly the same`.
    """

    kind: str
    records: tuple[Record, ...]

    @property
    def splits(self) -> set[str]:
        return {record.split for record in self.records}

    @property
    def pairs(self) -> tuple[int, int]:
        """(pairs of photos in the same split, pairs across two splits). Two in train and one in val: (1, 2)."""
        across = sum(a.split != b.split for a, b in combinations(self.records, 2))
        return len(self.records) * (len(self.records) - 1) // 2 - across, across


class Groups:
    """Union-find: after `join(0, 1)` and `join(1, 2)`, `of` gives 0 for all three."""

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
    """The groups, those across splits first, and the number of similar pairs that were not compared (see MOST)."""
    groups, kinds = Groups(len(seen)), dict[int, set[str]]()
    firsts = _join_files(seen, groups, kinds)
    dropped = _join_pictures(seen, firsts, groups, kinds, console)
    members: dict[int, list[int]] = {}
    for index in range(len(seen)):
        members.setdefault(groups.of(index), []).append(index)
    copies = [
        Copies(_loosest(kinds, indices), tuple(seen[i].record for i in indices))
        for indices in members.values()
        if len(indices) > 1
    ]
    return sorted(copies, key=lambda copies: (len(copies.splits) == 1, KINDS.index(copies.kind))), dropped


def _loosest(kinds: dict[int, set[str]], indices: Iterable[int]) -> str:
    return max((kind for i in indices for kind in kinds.get(i, ())), key=KINDS.index)


def _join_files(seen: Sequence[Seen], groups: Groups, kinds: dict[int, set[str]]) -> list[int]:
    """Join photos with the same bytes. Returns one index per file; later steps compare only these."""
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
    with Bar(console or Plain(stderr=True), "comparing", total, "photo", show=show) as bar:
        pairs, dropped = candidates(np.stack([seen[index].thumb for index in firsts]), bar.advance)
    with Bar(console or Plain(stderr=True), "looking closely", len(pairs), "pair", show=show) as bar:
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
    """Whether two photos have equal pixels at full size. False for giant photos, which are not decoded again."""
    if likeness < SURELY or sorted(a.size) != sorted(b.size) or a.size[0] * a.size[1] > GIANT:
        return False
    try:
        first, second = open_image(a.record.path), open_image(b.record.path)
    except InputError:
        return False
    return first.size == second.size and first.tobytes() == second.tobytes()
