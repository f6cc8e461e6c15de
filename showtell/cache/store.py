"""Rows of arrays on disk, one row per image content. Rows are appended, read with memory maps, and survive a kill.

A folder has `layout.json` (name, type and shape of each array), one raw file per array, and `contents.txt`. Line i of
`contents.txt` has the content digest of row i and the row's checksum, which is compared when the row is first read. A
line is written after its row, and only rows with a complete line count. So a kill can only leave rows without a line;
the next writer cuts them off.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import open_end, placed
from showtell.plumbing.lock import locked
from showtell.plumbing.reading import TEXT, read_json, read_text

Layout = dict[str, tuple[str, tuple[int, ...]]]  # name -> numpy's name of the type, shape of a row

KINDS = ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")
LINE = 42  # bytes: 32 for the content's digest, a space, 8 for the row's checksum, and the end of the line


def layout_of(arrays: Mapping[str, Tensor]) -> Layout:
    """The layout for rows like these; the first axis of each array counts the rows."""
    return {name: (str(array.numpy().dtype), tuple(array.shape[1:])) for name, array in arrays.items()}


def row_bytes(layout: Layout) -> int:
    return sum(_bytes(*entry) for entry in layout.values())


def _bytes(kind: str, shape: tuple[int, ...]) -> int:
    return np.dtype(kind).itemsize * prod(shape)


def _checksum(arrays: Sequence["np.ndarray[Any, Any]"]) -> str:
    made = 0
    for array in arrays:
        made = zlib.crc32(np.ascontiguousarray(array).data, made)
    return f"{made:08x}"


def _checked(written: Any) -> Layout:
    """The content of a layout.json as a layout. Raises ValueError, TypeError or AttributeError if it is damaged."""
    layout = {name: (kind, tuple(shape)) for name, (kind, shape) in written.items()}
    for name, (kind, shape) in layout.items():
        if not name.isidentifier() or kind not in KINDS or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(name)
    return layout


class Store:
    """`rows` maps a content digest to its row. Any number of processes may read; `writing` lets only one write."""

    rows: dict[str, int]

    def __init__(self, folder: Path):
        self.folder, self.layout = folder, Layout()
        self.refresh()

    def refresh(self) -> None:
        """Read the rows again, because other processes may have added some."""
        self.rows, self._maps = {}, dict[str, np.memmap]()
        self._sums, self._sound = list[str](), set[int]()  # the checksum of each row; the rows that were compared
        try:
            written = read_json(self.folder / "layout.json")
            lines = read_text(self.folder / "contents.txt", TEXT)
            self.layout = _checked(written)
            sizes = [self._path(name).stat().st_size // _bytes(*entry) for name, entry in self.layout.items()]
        except (OSError, ValueError, TypeError, AttributeError, ZeroDivisionError):  # no complete store is here
            return
        for row in range(min(len(lines) // LINE, *sizes)):
            content, _, checksum = lines[row * LINE : (row + 1) * LINE - 1].partition(" ")
            self._sums.append(checksum)
            if len(content) == 32 and len(checksum) == 8:  # the row of a damaged line is not used
                self.rows[content] = row

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """Copies of some rows, in the order of `rows`."""
        if not self._maps:
            for name, (kind, shape) in self.layout.items():
                shape = (len(self._sums), *shape)
                self._maps[name] = np.memmap(self._path(name), dtype=kind, mode="r", shape=shape)
        copies = {name: np.array(array[list(rows)]) for name, array in self._maps.items()}
        for place, row in enumerate(rows):
            if row not in self._sound:
                self._check(row, [array[place] for array in copies.values()])
        return {name: torch.from_numpy(array) for name, array in copies.items()}

    def _check(self, row: int, arrays: Sequence["np.ndarray[Any, Any]"]) -> None:
        if _checksum(arrays) != self._sums[row]:
            raise InputError(f"the features in {self.folder} are damaged; delete this folder to compute them again")
        self._sound.add(row)

    @contextmanager
    def writing(self, layout: Layout, wait: Callable[[], None]) -> Iterator[None]:
        """Be the only writer. `wait` is called if another writer must finish first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open_end(self.folder / "lock") as lock:
            if locked(lock.fileno()) is False:
                wait()
                locked(lock.fileno(), wait=True)
            self.refresh()
            self._cut(layout)
            yield

    def _cut(self, layout: Layout) -> None:
        """Cut off everything after the last complete row. Lines first, so that no line can name a later row."""
        self.layout = layout
        for path, size in [(self.folder / "contents.txt", LINE)] + [
            (self._path(name), _bytes(*entry)) for name, entry in layout.items()
        ]:
            with open_end(path) as file:
                file.truncate(len(self._sums) * size)
                os.fsync(file.fileno())
        with placed(self.folder / "layout.json") as part:
            part.write_text(json.dumps(layout), "utf-8")

    def append(self, contents: Sequence[str], arrays: Mapping[str, Tensor]) -> None:
        """Write one row for each content. Call it only inside `writing`."""
        self._maps = {}
        for name, array in arrays.items():
            assert layout_of({name: array})[name] == self.layout[name]
            self._write(self._path(name), array.numpy().tobytes())
        rows = zip(*(array.numpy() for array in arrays.values()), strict=True)
        sums = [_checksum(row) for row in rows]
        lines = "".join(f"{content} {made}\n" for content, made in zip(contents, sums, strict=True))
        self._write(self.folder / "contents.txt", lines.encode("ascii"))
        self.rows |= {content: len(self._sums) + i for i, content in enumerate(contents)}
        self._sums += sums

    def _write(self, path: Path, data: bytes) -> None:
        with open_end(path) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.raw"
