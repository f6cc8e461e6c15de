"""The photos of an album, cut into parts, as it is kept in the folder of captions.

The plan is made once, so all shards and all later runs agree on it, whatever happens to the album meanwhile: a photo
that has gone becomes a row with its reason. A later run without `--shard` looks again, and puts what is new into parts
of its own at the end. Only one part of the plan is in memory at a time.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_json
from showtell.plumbing.reading import read_json
from showtell.predict.album.items import Item

LINES, INDEX = "plan.jsonl", "plan.json"
PHOTOS = 2000  # of a part


class Plan:
    """`counts` says how many photos each part has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts: list[int] = []
        self.counts: list[int] = []
        self.end = 0
        if self.exists:
            self._read_index()

    @property
    def exists(self) -> bool:
        return (self.folder / INDEX).is_file()

    def items(self, part: int) -> list[Item]:
        """The photos of a part. Raises InputError if the plan is damaged."""
        try:
            with (self.folder / LINES).open("rb") as file:
                file.seek(self.starts[part])
                return [_item(file.readline()) for _ in range(self.counts[part])]
        except (OSError, ValueError) as error:
            raise self._damaged(error) from None

    def extend(self, photos: Iterable[Item], size: int = PHOTOS) -> int:
        """Add parts at the end, of `size` photos each; returns how many photos came in."""
        before = sum(self.counts)
        with (self.folder / LINES).open("ab") as file:
            file.truncate(self.end)  # what a kill left behind the last part that the index knows
            file.seek(self.end)
            for number, item in enumerate(photos):
                if number % size == 0:
                    self.starts.append(file.tell())
                    self.counts.append(0)
                file.write((json.dumps([item.image_id, item.place]) + "\n").encode())
                self.counts[-1] += 1
            file.flush()
            self.end = file.tell()
        write_json(self.folder / INDEX, {"starts": self.starts, "counts": self.counts, "end": self.end})
        return sum(self.counts) - before

    def new(self, photos: Iterable[Item]) -> list[Item]:
        """The photos that the plan does not have. If nothing has changed, no list of names is made."""
        seen = iter(photos)
        for ours, theirs in zip_longest(self._every(), seen):
            if ours is None or theirs is None or ours.place != theirs.place:
                rest = [] if theirs is None else [theirs, *seen]
                known = {json.dumps(item.place) for item in self._every()} if rest else set()
                return [item for item in rest if json.dumps(item.place) not in known]
        return []

    def _every(self) -> Iterator[Item]:
        with (self.folder / LINES).open("rb") as file:
            yield from _read(file, sum(self.counts))

    def _read_index(self) -> None:
        index = read_json(self.folder / INDEX, 2**28)
        try:
            self.starts, self.counts, self.end = index["starts"], index["counts"], index["end"]
            whole = all(type(number) is int for number in [*self.starts, *self.counts, self.end])
            if not whole or len(self.starts) != len(self.counts) or (self.folder / LINES).stat().st_size < self.end:
                raise ValueError("its numbers do not fit")
        except (TypeError, KeyError, ValueError, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> InputError:
        advice = "begin anew with --overwrite, or name another folder"
        return InputError(f"is damaged ({error})", key=str(self.folder / LINES), advice=advice)


def _read(file: BinaryIO, count: int) -> Iterator[Item]:
    for _ in range(count):
        yield _item(file.readline())


def _item(line: bytes) -> Item:
    image_id, place = json.loads(line)
    return Item(image_id, place)


def part_size(photos: int, shards: int | None) -> int:
    """2,000 photos; fewer if there would be shards without a part.

    >>> part_size(1_000_000, None), part_size(1_000_000, 100), part_size(20_000, 100)
    (2000, 2000, 200)
    """
    return PHOTOS if shards is None else max(1, min(PHOTOS, -(-photos // shards)))
