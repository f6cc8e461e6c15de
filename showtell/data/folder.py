"""A folder of photos -> records: with `metadata.jsonl` or `metadata.csv`, as Hugging Face's imagefolder has them, or
bare, without captions: what is to be captioned. image_id = the photo's path below `root`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.clean import Row, to_records, writable
from showtell.data.images import printable
from showtell.data.photos import NOT_READ, SUFFIXES, existing_folder
from showtell.data.record import Record, Records
from showtell.data.splits import Division, Split, split_in
from showtell.data.table import CAPTION, PHOTO, SPLIT, read_table
from showtell.data.text import read_text
from showtell.errors import InputError
from showtell.settings import Share

METADATA = ("metadata.jsonl", "metadata.csv")
MAY_BE_CAPTIONS = (".csv", ".tsv", ".json", ".jsonl", ".token", ".parquet", ".tgz", ".gz")


def folder(*, root: Path, split: Split | None = None, val_share: Share = 0.1, test_share: Share = 0.1) -> Records:
    """The captioned photos of the metadata files, or all photos below `root` where there is no such file.

    A split is what a row's `split` says, or else a folder on the photo's way below `root`: train/, validation/, test/.
    """
    root = existing_folder(root)
    files = find_metadata(root)
    if not files:
        return bare(root=root)
    rows: list[Row] = []
    notes = []
    for path in files:
        of_file, note = _read(path)
        below = path.parent.relative_to(root)
        rows += (_placed(row, below) for row in of_file)
        notes.append(note)
    names = ", ".join(path.relative_to(root).as_posix() for path in files)
    form = ", ".join(filter(None, [f"folder: {names}", *notes]))
    return to_records(root, rows, form=form, division=Division(split, val_share, test_share), places=["."])


def bare(*, root: Path) -> Records:
    """All photos below `root`, sorted; hidden files and folders are left out."""
    root = existing_folder(root)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if _is_photo(path, root))
    if not names:
        raise InputError(f"{root}: no photos in it; looked, also in its folders, for {' '.join(SUFFIXES)}")
    return Records(
        (Record(writable(name), root / name, (), "test") for name in names),
        form=f"folder: bare photos{_passed_over(root)}",
    )


def _passed_over(root: Path) -> str:
    """For people: files in `root` that may hold the captions, under a name that no format knows."""
    names = sorted(printable(p.name) for p in root.iterdir() if p.suffix.lower() in MAY_BE_CAPTIONS and p.is_file())
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return f" (not read: {', '.join(names[:3])}{more}; captions in one: data=NAME data.file=FILE)" if names else ""


def find_metadata(root: Path) -> list[Path]:
    """One in `root`, or those of the folders in it; of two beside each other the JSONL."""
    for depth in ("", "*/", "*/*/"):
        found = {path.parent: path for name in reversed(METADATA) for path in root.glob(depth + name) if path.is_file()}
        if found:
            return sorted(found.values())
    return []


def _read(path: Path) -> tuple[list[Row], str]:
    if path.suffix == ".csv":
        return read_table(path)
    text, note = read_text(path)
    return list(_lines(path, text)), note


def _lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            entry = _entry(line)
            photo, split = _first(entry, PHOTO), _first(entry, SPLIT)
            captions = _first(entry, CAPTION)
            listed = captions if isinstance(captions, list) else [] if captions is None else [captions]
            yield Row(photo, photo, listed, split, f"{path.name} line {number}")


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _first(entry: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in names if name in entry), None)


def _placed(row: Row, below: Path) -> Row:
    """The row's photo, which is named from its metadata file's folder, named from `root`."""
    if not isinstance(row.photo, str):
        return row
    name = (below / row.photo).as_posix()
    ways = [split_in(part) for part in Path(name).parts[:-1]]
    split = row.split if row.split is not None else next(filter(None, ways), None)
    return row._replace(image_id=name, photo=name, split=split)


def _is_photo(path: Path, root: Path) -> bool:
    """By its name alone: a photo that cannot be read is the reader's to report, a broken link too."""
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in (*SUFFIXES, *NOT_READ) and not hidden and not path.is_dir()
