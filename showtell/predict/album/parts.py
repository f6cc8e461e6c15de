"""The rows of a part -> a file that is whole or absent. Until it is whole, each batch's rows are lines of `.partial`.

A row: `{"image_id": "a.jpg", "caption": "a dog", "log_prob": -3.2, "mean_log_prob": -0.8, "probability": 0.7,
"error": null}`. Of a photo that cannot be read, `error` says why, and the others are null.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import open_end, whole
from showtell.plumbing.reading import TEXT, check_file, open_file, read_bytes
from showtell.predict.album.items import Item
from showtell.predict.album.tables import parquet

Row = dict[str, Any]
COLUMNS = ("image_id", "caption", "log_prob", "mean_log_prob", "probability", "error")
COLUMN_SET = frozenset(COLUMNS)
NUMBERS = COLUMNS[2:5]
OTHERS = "others"  # [caption, log_prob] of each further caption, if the decoding gives several


def as_jsonl(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(_line(row) for row in rows), "utf-8")


def as_parquet(path: Path, rows: Sequence[Row]) -> None:
    writer = parquet()
    import pyarrow

    kinds = {name: pyarrow.float64() if name in NUMBERS else pyarrow.string() for name in COLUMNS}
    if any(OTHERS in row for row in rows):
        kinds[OTHERS] = pyarrow.list_(pyarrow.struct({"caption": pyarrow.string(), "log_prob": pyarrow.float64()}))
        rows = [row | {OTHERS: [_other(each) for each in row.get(OTHERS, ())]} for row in rows]  # a failure has none
    writer.write_table(pyarrow.Table.from_pylist(list(rows), schema=pyarrow.schema(kinds)), path)


def _other(pair: Sequence[Any]) -> Row:
    return dict(zip(COLUMNS[1:3], pair, strict=True))


def of_jsonl(path: Path) -> Iterator[Row]:
    with open_file(path, TEXT) as file:
        yield from map(json.loads, file)


def of_parquet(path: Path) -> Iterator[Row]:
    check_file(path, TEXT)
    for batch in parquet().ParquetFile(path).iter_batches(1000):
        yield from batch.to_pylist()


WRITERS: dict[str, Callable[[Path, Sequence[Row]], None]] = {"jsonl": as_jsonl, "parquet": as_parquet}
READERS: dict[str, Callable[[Path], Iterator[Row]]] = {"jsonl": of_jsonl, "parquet": of_parquet}


class Part:
    """`begin`, then `add` rows in the order of the photos, then `finish`."""

    def __init__(self, folder: Path, number: int, form: str) -> None:
        self.number, self.form = number, form
        self.name = f"part-{number:05}"
        self.path, self.partial = folder / f"{self.name}.{form}", folder / f"{self.name}.partial"

    @property
    def done(self) -> bool:
        return self.path.is_file()

    def begin(self, items: Sequence[Item]) -> list[Row]:
        """The rows that a stopped run left. Damaged or foreign lines, and all after them, are dropped."""
        rows: list[Row] = []
        length = 0
        try:
            lines = read_bytes(self.partial, TEXT).splitlines(keepends=True) if self.partial.is_file() else []
            for item, line in zip(items, lines, strict=False):
                row = _row(line)
                if not _is_of(row, item):
                    break
                rows.append(row)
                length += len(line)
            with open_end(self.partial) as file:
                file.truncate(length)
        except OSError as error:
            raise self._unwritable(error) from None
        return rows

    def add(self, rows: Iterable[Row]) -> None:
        try:
            with open_end(self.partial) as file:
                file.write("".join(map(_line, rows)).encode())
        except OSError as error:
            raise self._unwritable(error) from None

    def finish(self) -> None:
        rows = list(of_jsonl(self.partial))
        with whole(self.path) as path:
            WRITERS[self.form](path, rows)
        self.partial.unlink(missing_ok=True)

    def rows(self, items: Sequence[Item]) -> Iterator[Row]:
        """The rows of a part that is done, one of each of its photos. Raises InputError if it is damaged."""
        number = 0
        try:
            for row in READERS[self.form](self.path):
                if number == len(items) or not _is_of(row, items[number]):
                    raise self._damaged(f"row {number + 1:,} is not that of its photo")
                yield row
                number += 1
        except InputError:
            raise
        except Exception as error:  # pyarrow has many errors for damaged files
            raise self._damaged(type(error).__name__) from None
        if number < len(items):
            raise self._damaged(f"{number:,} of {len(items):,} rows")

    def _damaged(self, why: str) -> InputError:
        advice = "delete it, and run again: it is made anew"
        return InputError(f"is damaged ({why})", key=str(self.path), advice=advice)

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"cannot be written: {error.strerror}", key=str(self.partial), advice="then run again")


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _row(line: bytes) -> Any:
    """What a line holds, or None if it is damaged."""
    try:
        return json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        return None


def _is_of(row: Any, item: Item) -> bool:
    """Whether this is a row of that photo: either with a caption or with an error, and numbers where numbers stand."""
    if not isinstance(row, dict) or not row.keys() >= COLUMN_SET or row["image_id"] != item.image_id:
        return False
    caption, error = row["caption"], row["error"]
    words = isinstance(caption, str) if error is None else isinstance(error, str) and caption is None
    return words and all(row[name] is None or type(row[name]) in (float, int) for name in NUMBERS)
