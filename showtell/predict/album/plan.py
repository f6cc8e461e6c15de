"""The photos of an album, cut into parts, as it is kept in the folder of captions.

The plan is made once, so all shards and all later runs agree on it, whatever happens to the album meanwhile: a photo
that has gone becomes a row with its reason. A later run without `--shard` looks again, and puts what is new into parts
of its own at the end. Only one part of the plan is in memory at a time.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_json
from showtell.plumbing.reading import open_file, read_json
from showtell.predict.album.items import Item, is_place

LINES, INDEX = "plan.jsonl", "plan.json"
PHOTOS = 2000  # of a part
LONGEST = 2**21  # bytes of a line; a list's line of 65,536 letters stands in it twice, each letter at most 12 bytes


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
        end = self.starts[part + 1] if part + 1 < len(self.starts) else self.end
        return list(self._read(self.starts[part], end, self.counts[part]))

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
        for ours, theirs in zip_longest(self.every(), seen):
            if ours is None or theirs is None or ours.place != theirs.place:
                rest = [] if theirs is None else [theirs, *seen]
                known = {json.dumps(item.place) for item in self.every()} if rest else set()
                return [item for item in rest if json.dumps(item.place) not in known]
        return []

    def every(self) -> Iterator[Item]:
        """All photos. Raises InputError if the plan is damaged."""
        yield from self._read(0, self.end, sum(self.counts))

    def _read(self, start: int, end: int, number: int) -> Iterator[Item]:
        """The photos of these bytes, which must be so many."""
        try:
            with open_file(self.folder / LINES) as file:
                file.seek(start)
                for _ in range(number):
                    yield _item(file.readline(LONGEST))
                if file.tell() != end:
                    raise ValueError("its numbers do not fit")
        except InputError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(error) from None

    def _read_index(self) -> None:
        index = read_json(self.folder / INDEX, 2**28)
        try:
            self.starts, self.counts, self.end = index["starts"], index["counts"], index["end"]
            if not self._fits() or (self.folder / LINES).stat().st_size < self.end:
                raise ValueError("its numbers do not fit")
        except (TypeError, KeyError, ValueError, OSError) as error:
            raise self._damaged(error) from None

    def _fits(self) -> bool:
        """Whether the numbers are those of parts that follow each other, none of them empty."""
        whole = all(type(number) is int for number in [*self.starts, *self.counts, self.end])
        bounds = [*self.starts, self.end]
        return (
            whole
            and len(self.starts) == len(self.counts)
            and bounds[0] == 0
            and all(start < end for start, end in pairwise(bounds))
            and all(number > 0 for number in self.counts)
        )

    def _damaged(self, error: Exception) -> InputError:
        advice = "begin anew with --overwrite, or name another folder"
        return InputError(f"is damaged ({error})", key=str(self.folder / LINES), advice=advice)


def _item(line: bytes) -> Item:
    """Raises ValueError if the line is damaged."""
    content = json.loads(line)
    if not isinstance(content, list) or len(content) != 2 or not isinstance(content[0], str):
        raise ValueError("a line is not a photo and its place")
    if not is_place(content[1]):
        raise ValueError("a place is none")
    return Item(*content)


def part_size(photos: int, shards: int | None) -> int:
    """2,000 photos; fewer if there would be shards without a part.

    >>> part_size(1_000_000, None), part_size(1_000_000, 100), part_size(20_000, 100)
    (2000, 2000, 200)
    """
    return PHOTOS if shards is None else max(1, min(PHOTOS, -(-photos // shards)))
