"""A folder of photos -> records; image_id = the photo's path below `root`.

Captions come from `metadata.jsonl` or `metadata.csv`, as in Hugging Face's imagefolder. A folder without these files is
`bare`: photos without captions, for example to be captioned by a model.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from showtell.data.clean import Row, to_records
from showtell.data.photos import NOT_READ, SUFFIXES, existing_folder, listed
from showtell.data.record import LeftOut, Record, Records
from showtell.data.splits import Division, Split, split_in
from showtell.data.table import CAPTION, PHOTO, PHOTO_ELSE, SPLIT, read_table
from showtell.data.text import read_text
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count, printable
from showtell.plumbing.reading import parse_json, whole_letters
from showtell.settings.bounds import Share

METADATA = ("metadata.jsonl", "metadata.csv")
ARCHIVES = (".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".rar")
MAY_BE_CAPTIONS = (".csv", ".tsv", ".json", ".jsonl", ".token", ".parquet", ".xml", ".xlsx", *ARCHIVES)
# Folders that machines make, with thumbnails or with what was deleted: Synology, QNAP, macOS, Windows, Linux.
MACHINES_OWN = ("@eaDir", "@Recycle", "#recycle", "@__thumb", "__MACOSX", "$RECYCLE.BIN", "lost+found")
SHOWN = 5
PLACES = ("", "annotations/", "captions/")  # folders where captions files usually are
START = 2**16  # bytes at the start of a text file that are searched for names of photos


def folder(*, root: Path, split: Split | None = None, val_share: Share = 0.1, test_share: Share = 0.1) -> Records:
    """The captioned photos of the metadata files. If there is no such file: all photos below `root`.

    A photo's split is the row's `split`, or else a folder in its path: `train/a.jpg` is in train.
    """
    root = existing_folder(root)
    files = find_metadata(root)
    if not files:
        return bare(root=root)
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    notes = []
    for path in files:
        file_rows, note = _read(path, left_out, only_file=len(files) == 1)
        below = path.parent.relative_to(root)
        rows += (_placed(row, below) for row in file_rows)
        notes.append(note)
    names = ", ".join(path.relative_to(root).as_posix() for path in files)
    form = ", ".join(filter(None, [f"folder: {names}", *notes]))
    division = Division(split, val_share, test_share)
    return to_records(root, rows, form=form, division=division, places=["."], left_out=left_out)


def bare(*, root: Path) -> Records:
    """All photos below `root`, sorted, without captions. Skips hidden files and folders."""
    root = existing_folder(root)
    names = photos_below(root)
    passed_over = _passed_over(root, names)
    if not names:
        next(root.iterdir(), None)  # raises PermissionError if the folder may not be read
        raise InputError(f"{root}: no photos in it or its subfolders; searched for {' '.join(SUFFIXES)}{passed_over}")
    return Records(
        (Record(whole_letters(name), root / name, (), "test") for name in names),
        form=f"folder: bare photos{passed_over}",
    )


def photos_below(root: Path) -> list[str]:
    """The paths of all photos below `root`, sorted."""
    return sorted(path.relative_to(root).as_posix() for path in walk(root) if is_photo(path))


def others_below(root: Path) -> str:
    """What lies below `root` beside photos, in one line for the user; empty if there is nothing.

    For example `2 files that are no photos (.mp4, .txt), thumbnails in @eaDir`.
    """
    others = [path for path in walk(root) if not is_photo(path)]
    endings = sorted({path.suffix.lower() or "no ending" for path in others})
    shown = ", ".join(map(printable, endings[:SHOWN])) + (", .." if len(endings) > SHOWN else "")
    notes = (
        [f"{count(len(others), 'file')} that {'is' if len(others) == 1 else 'are'} no photo ({shown})"]
        if others
        else []
    )
    made = [name for name in MACHINES_OWN if any(root.glob(name)) or any(root.glob(f"*/{name}"))]
    return ", ".join([*notes, *(f"the folder {name}, which a machine made" for name in made)])


def walk(root: Path) -> Iterator[Path]:
    """All files that are not hidden, nor in folders that machines make.

    Links to folders come last. Each folder is read once, because links may be circular.
    """
    seen = {_identity(parent) for parent in root.resolve().parents}  # else a link to a parent would read the whole disk
    waiting = [root]
    for top in waiting:  # the list grows meanwhile
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in MACHINES_OWN)
            if (identity := _identity(Path(folder))) in seen:
                folders.clear()
                continue
            seen.add(identity)
            waiting += (path for path in (Path(folder, name) for name in folders) if path.is_symlink())
            yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _identity(folder: Path) -> tuple[int, int] | Path:
    """The folder's device and inode numbers, equal for all links to it. Its path if `stat` is not permitted."""
    try:
        stat = folder.stat()
    except OSError:
        return folder
    return stat.st_dev, stat.st_ino


def _passed_over(root: Path, photos: Sequence[str]) -> str:
    """A note for the user about files that may have captions or photos, but whose names no format knows."""
    paths = [root / place / name for place in PLACES for name, why_not in listed(str(root / place)) if not why_not]
    known = {_last_word(photo.rpartition("/")[2]) for photo in photos}
    some = [path for path in paths if _may_be_captions(path, known)]
    if not some:
        return ""
    names = sorted(printable(path.relative_to(root).as_posix()) for path in some)
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    packed = sum(path.suffix.lower() in ARCHIVES for path in some)
    hints = ["captions in one: data=NAME data.file=FILE"] * bool(photos and packed < len(some))
    hints += ["unpack archives first"] * bool(packed)
    return f" (not read: {'; '.join([', '.join(names[:3]) + more, *hints])})"


def _may_be_captions(path: Path, photos: set[str]) -> bool:
    """Decides by the suffix. A .txt also needs the name of a photo, or two photos (or the only photo) in its text."""
    if path.suffix.lower() != ".txt":
        return path.suffix.lower() in MAY_BE_CAPTIONS
    if any(_last_word(path.stem + suffix) in photos for suffix in SUFFIXES):
        return True
    try:
        with path.open("rb") as file:
            start = file.read(START).replace(b"\0", b"")  # UTF-16's
    except OSError:
        return False
    words = re.split(r"[\s,;|#\"'/\\]+", start.decode("utf-8", "replace"))
    return bool(photos) and len(photos.intersection(words)) >= min(len(photos), 2)


def _last_word(name: str) -> str:
    """The last word of a photo's name: `dog.jpg` for `my dog.jpg`. `_may_be_captions` compares single words."""
    return name.split()[-1]


def find_metadata(root: Path) -> list[Path]:
    """The metadata file in `root`, else those one or two folders deeper. In each folder, JSONL wins over CSV."""
    for depth in ("", "*/", "*/*/"):
        by_folder = {
            path.parent: path for name in reversed(METADATA) for path in root.glob(depth + name) if path.is_file()
        }
        if by_folder:
            return sorted(by_folder.values())
    return []


def _read(path: Path, left_out: list[LeftOut], only_file: bool) -> tuple[list[Row], str]:
    if path.suffix == ".csv":
        return read_table(path, only_file=only_file)
    text, note = read_text(path)
    return list(read_lines(path, text, left_out)), note


def read_lines(path: Path, text: str, left_out: list[LeftOut]) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            entry = parse_json(line, mend=False)
        except ValueError:
            left_out.append(LeftOut(where, "not JSON"))
            continue
        entry = entry if isinstance(entry, dict) else {}
        photo, split = _first(entry, (*PHOTO, *PHOTO_ELSE)), _first(entry, SPLIT)
        captions = _first(entry, CAPTION)
        listed = captions if isinstance(captions, list) else [] if captions is None else [captions]
        yield Row(photo, photo, listed, split, where)


def _first(entry: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in names if name in entry), None)


def _placed(row: Row, below: Path) -> Row:
    """The row with its photo's path relative to `root`. The metadata file names it relative to its own folder."""
    if not isinstance(row.photo, str):
        return row
    name = (below / row.photo).as_posix()
    ways = [split_in(part) for part in Path(name).parts[:-1]]
    split = row.split if row.split is not None else next(filter(None, ways), None)
    return row._replace(image_id=name, photo=name, split=split)


def is_photo(path: Path) -> bool:
    """Decides only by the name. Unreadable photos and broken links are reported when they are opened."""
    return path.suffix.lower() in (*SUFFIXES, *NOT_READ)
