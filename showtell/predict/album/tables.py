"""Parquet tables with a column of photos: bytes, `{bytes, path}` as Hugging Face's datasets write, or paths.

A table is read row group by row group, some rows at a time, so a table of 100 GB needs little memory.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest
from showtell.plumbing.reading import check_file

PHOTO = ("image", "photo", "img", "picture", "jpg", "jpeg", "png", "webp", "image_bytes", "bytes", "content")
PATHS = ("image_path", "file_name", "filename", "filepath", "path", "file")
IDS = ("image_id", "id", "key", "__key__", "file_name", "filename", "image_path", "path")
AT_ONCE = 32  # rows


def parquet() -> Any:
    """The module pyarrow.parquet. Raises InputError if it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError:
        advice = "pip install 'showtell[parquet]'"
        raise InputError("needs the package pyarrow", key="parquet", advice=advice) from None
    return pyarrow.parquet


def open_table(path: Path) -> Any:
    """Raises InputError unless it is a parquet file."""
    reader = parquet()
    check_file(path)
    try:
        return reader.ParquetFile(path)
    except Exception as error:  # pyarrow has many errors for damaged files
        raise InputError(f"is no parquet table: {_first_line(error)}", key=str(path)) from None


class NoPhoto(NamedTuple):
    """Why a row has no photo."""

    reason: str


def photo_column(path: Path, schema: Any, asked: str | None) -> str:
    """The column of photos: the one asked for, or the first with a usual name. Raises InputError if there is none."""
    kinds = {name: schema.field(name).type for name in _once(schema)}
    may = [name for name, kind in kinds.items() if _holds_photos(_one(kind))]
    if asked is not None:
        if asked in may:
            return asked
        wrong = "holds neither bytes nor paths" if asked in schema.names else "is no column of the table"
        if asked in schema.names and asked not in kinds:
            wrong = "is the name of several columns"
        near = nearest(asked, may)
        raise InputError(wrong, key=f"--photo-column {asked}", takes=may or "none", taker=f"{path.name} has", near=near)
    plain = [name for name in may if _holds_photos(kinds[name])]
    of_bytes = [name for name in plain if not _is_text(kinds[name])]
    found = _usual(plain) or (of_bytes[0] if len(of_bytes) == 1 else _usual(may))
    if found is not None:
        return found
    advice = "name it with --photo-column"
    raise InputError("has no column of photos", key=str(path), takes=schema.names, taker="it has", advice=advice)


def _once(schema: Any) -> list[str]:
    """The names that only one column has. Of two with one name, nothing says which is meant."""
    return [name for name, times in Counter(schema.names).items() if times == 1]


def _usual(names: Sequence[str]) -> str | None:
    usual = {name.lower(): name for name in reversed(names)}
    return next((usual[name] for name in (*PHOTO, *PATHS) if name in usual), None)


def rows(path: Path, name: str, column: str, file: Any) -> Iterator[tuple[str, int, int]]:
    """(image_id, row group, row in it) of every row. The id comes from a column of IDS, or else from the path beside
    the bytes, or else it is NAME/ROW. Raises InputError if that column is damaged."""
    once = _once(file.schema_arrow)
    kind = _listed(file.schema_arrow.field(column).type)
    named = next((each for each in IDS if each in once and each != column), None)
    if named is None and _is_text(kind):
        named = column
    in_photo = named is None and _has_path(kind)
    number = 0
    for group in range(file.num_row_groups):
        if named is None and not in_photo:
            ids: Iterator[Any] = iter([None] * file.metadata.row_group(group).num_rows)
        else:
            ids = _ids(path, file, group, named if named is not None else f"{column}.path")
        for row, given in enumerate(ids):
            yield str(given) if given not in (None, "") else f"{name}/{number}", group, row
            number += 1


def _ids(path: Path, file: Any, group: int, column: str) -> Iterator[Any]:
    try:
        for batch in file.iter_batches(1024, row_groups=[group], columns=[column]):
            yield from map(_id, batch.column(0))
    except Exception as error:  # pyarrow has many errors for damaged files
        raise InputError(f"has a damaged column {column}: {_first_line(error)}", key=str(path)) from None


def _id(cell: Any) -> Any:
    try:
        content = cell.as_py()
    except ValueError:  # Python knows no nanoseconds, nor every time zone
        content = cell.value
    return next(iter(content.values())) if isinstance(content, dict) else content


def cells(path: Path, column: str, wanted: Sequence[tuple[int, int]]) -> Iterator[bytes | str | NoPhoto]:
    """The photos in these (row group, row), which must come in the order of the table. Damage costs one row group."""
    file = None
    for group, places in groupby(wanted, key=lambda place: place[0]):
        left = deque(row for _, row in places)
        why = "no such row: the table has become shorter"
        try:
            file = file or open_table(path)
            yield from _of_group(file, column, group, left)
        except Exception as error:  # pyarrow has many errors for damaged files
            why = f"the table cannot be read ({type(error).__name__})"
        yield from [NoPhoto(why)] * len(left)


def _of_group(file: Any, column: str, group: int, left: deque[int]) -> Iterator[bytes | str | NoPhoto]:
    """The photos in the rows that are `left`; each is taken from there."""
    start = 0
    for batch in file.iter_batches(AT_ONCE, row_groups=[group], columns=[column]):
        photos = batch.column(0)
        while left and left[0] < start + len(photos):
            content = _content(photos[left[0] - start].as_py())
            left.popleft()
            yield content
        start += len(photos)
        if not left:
            return


def _content(cell: Any) -> bytes | str | NoPhoto:
    if isinstance(cell, dict):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, list) and len(cell) > 1:
        return NoPhoto(f"{len(cell)} photos in this row, where one belongs")
    if isinstance(cell, list):
        return _content(cell[0] if cell else None)
    if isinstance(cell, bytes | bytearray):
        return bytes(cell)
    return cell if isinstance(cell, str) and cell else NoPhoto("no photo in this row")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _holds_photos(kind: Any) -> bool:
    return _is_text(kind) or _is_bytes(kind) or (_is_struct(kind) and _has(kind, "bytes", _is_bytes))


def _has_path(kind: Any) -> bool:
    return _is_struct(kind) and _has(kind, "path", _is_text)


def _has(kind: Any, name: str, is_it: Any) -> bool:
    place = kind.get_field_index(name)
    return place >= 0 and is_it(kind.field(place).type)


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind) or str(kind) == "binary_view"


def _is_struct(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_struct(kind)


def _listed(kind: Any) -> Any:
    """The kind of a dictionary's entries; any other is itself."""
    import pyarrow.types as types

    return kind.value_type if types.is_dictionary(kind) else kind


def _one(kind: Any) -> Any:
    """The kind of one entry of a dictionary or a list; bytes of a fixed size are bytes."""
    import pyarrow
    import pyarrow.types as types

    kind = _listed(kind)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return pyarrow.binary() if types.is_fixed_size_binary(kind) else kind
