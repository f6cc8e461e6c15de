"""Parquet tables with a column of photos: bytes, `{bytes, path}` as Hugging Face's datasets write, or paths.

A table is read row group by row group, some rows at a time, so a table of 100 GB needs little memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest

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
    try:
        return reader.ParquetFile(path)
    except FileNotFoundError:
        raise InputError("does not exist", key=str(path)) from None
    except Exception as error:  # pyarrow has many errors for damaged files
        raise InputError(f"is no parquet table: {str(error).splitlines()[0]}", key=str(path)) from None


def photo_column(path: Path, schema: Any, asked: str | None) -> str:
    """The column of photos: the one asked for, or the first with a usual name. Raises InputError if there is none."""
    may = [name for name in schema.names if _holds_photos(schema.field(name).type)]
    if asked is not None:
        if asked in may:
            return asked
        wrong = "holds neither bytes nor paths" if asked in schema.names else "is no column of the table"
        near = nearest(asked, may)
        raise InputError(wrong, key=f"--photo-column {asked}", takes=may or "none", taker=f"{path.name} has", near=near)
    usual = {name.lower(): name for name in reversed(may)}
    for name in (*PHOTO, *PATHS):
        if name in usual:
            return usual[name]
    of_bytes = [name for name in may if not _is_text(schema.field(name).type)]
    if len(of_bytes) == 1:
        return of_bytes[0]
    advice = "name it with --photo-column"
    raise InputError("has no column of photos", key=str(path), takes=schema.names, taker="it has", advice=advice)


def rows(path: Path, column: str, file: Any) -> Iterator[tuple[str, int, int]]:
    """(image_id, row group, row in it) of every row. The id comes from a column of IDS, or else from the path beside
    the bytes, or else it is NAME/ROW."""
    schema = file.schema_arrow
    named = next((name for name in IDS if name in schema.names and name != column), None)
    if named is None and _is_text(schema.field(column).type):
        named = column
    in_photo = named is None and _has_path(schema.field(column).type)
    number = 0
    for group in range(file.num_row_groups):
        if named is None and not in_photo:
            ids: Iterator[Any] = iter([None] * file.metadata.row_group(group).num_rows)
        else:
            ids = _ids(file, group, named if named is not None else f"{column}.path")
        for row, given in enumerate(ids):
            yield str(given) if given not in (None, "") else f"{path.name}/{number}", group, row
            number += 1


def _ids(file: Any, group: int, column: str) -> Iterator[Any]:
    for batch in file.iter_batches(1024, row_groups=[group], columns=[column]):
        for cell in batch.column(0).to_pylist():
            yield next(iter(cell.values())) if isinstance(cell, dict) else cell


def cells(path: Path, column: str, wanted: Sequence[tuple[int, int]]) -> Iterator[bytes | str | None]:
    """The photos in these (row group, row), which must come in the order of the table."""
    file = open_table(path)
    left = list(reversed(wanted))
    while left:
        group, start = left[-1][0], 0
        for batch in file.iter_batches(AT_ONCE, row_groups=[group], columns=[column]):
            photos = batch.column(0)
            while left and left[-1][0] == group and left[-1][1] < start + len(photos):
                yield _content(photos[left.pop()[1] - start].as_py())
            start += len(photos)
            if not left or left[-1][0] != group:
                break
        else:
            while left and left[-1][0] == group:  # the table has become shorter
                left.pop()
                yield None


def _content(cell: Any) -> bytes | str | None:
    if isinstance(cell, dict):
        return _content(cell.get("bytes")) or _content(cell.get("path"))
    if isinstance(cell, bytes | bytearray):
        return bytes(cell)
    return cell if isinstance(cell, str) and cell else None


def _holds_photos(kind: Any) -> bool:
    return _is_text(kind) or _is_bytes(kind) or (_is_struct(kind) and _has(kind, "bytes", _is_bytes))


def _has_path(kind: Any) -> bool:
    return _is_struct(kind) and _has(kind, "path", _is_text)


def _has(kind: Any, name: str, is_it: Any) -> bool:
    place = kind.get_field_index(name)
    return place >= 0 and is_it(kind.field(place).type)


def _is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_string(kind) or types.is_large_string(kind)


def _is_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_struct(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_struct(kind)
