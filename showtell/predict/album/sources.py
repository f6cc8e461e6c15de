"""What a user names as an album -> its photos, one after the other: a folder, a list, tars, tables, or photos.

Nothing is unpacked, and only names are kept in memory: of a folder, those of one folder at a time.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from showtell.data.folder import is_photo, walk
from showtell.data.photos import SUFFIXES
from showtell.data.tars import DAMAGED, members
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import check_file, whole_letters
from showtell.predict.album import lists
from showtell.predict.album.items import Item
from showtell.predict.album.tables import open_table, photo_column, rows
from showtell.predict.photos import find_photos

LARGEST = 2**30  # bytes of a photo in a tar


class Source:
    """An album: `photos` reads its names anew each time, in the same order. `kind` is a word for messages."""

    def __init__(self, paths: Sequence[Path], column: str | None = None) -> None:
        """Raises InputError, before a model is loaded, for what is no album."""
        if not paths:
            raise InputError("no photo is given; name a folder, a list (.txt), tars or parquet tables")
        self.paths = [path.absolute() for path in paths]
        for path in paths:
            if not path.exists() and not path.is_symlink():
                raise InputError("does not exist", key=str(path), advice="name a folder, a list, a tar or a table")
        self.kind = _kind(paths)
        self.column = column
        if self.kind == "tables":
            for path in self.paths:
                photo_column(path, open_table(path).schema_arrow, column)
        elif column is not None:
            raise InputError("is only for parquet tables", key=f"--photo-column {column}", advice="leave it away")
        elif self.kind == "tars":
            for path in self.paths:
                check_file(path)
        elif self.kind == "list":
            lists.check(self.paths[0])

    def check_some(self) -> None:
        """Raise InputError if a list names nothing that exists. An album that was begun may have lost its photos."""
        if self.kind == "list":
            lists.check_some(self.paths[0])

    @property
    def has_files(self) -> bool:
        """Whether each photo is a file of its own, beside which a text can stand."""
        return self.kind in ("folder", "list", "photos")

    def photos(self) -> Iterator[Item]:
        kinds: dict[str, Callable[[], Iterator[Item]]] = {"folder": self._folder, "list": self._list}
        kinds |= {"tars": self._tars, "tables": self._tables, "photos": self._photos}
        return kinds[self.kind]()

    def _folder(self) -> Iterator[Item]:
        root = self.paths[0]
        next(root.iterdir(), None)  # raises PermissionError if the folder may not be read
        for path in walk(root):
            if is_photo(path):
                yield Item(whole_letters(path.relative_to(root).as_posix()), ["file", str(path)])

    def _photos(self) -> Iterator[Item]:
        for image_id, path in find_photos(self.paths).items():
            yield Item(image_id, ["file", str(path)])

    def _list(self) -> Iterator[Item]:
        for line, path in lists.paths(self.paths[0]):
            yield Item(whole_letters(line), ["file", str(path)])

    def _tars(self) -> Iterator[Item]:
        for path, shown in _names(self.paths).items():
            before = f"{shown}/" if len(self.paths) > 1 else ""
            for name, place in _members(path):
                yield Item(whole_letters(before + name), place)

    def _tables(self) -> Iterator[Item]:
        for path, name in _names(self.paths).items():
            file = open_table(path)
            column = photo_column(path, file.schema_arrow, self.column)
            for image_id, group, row in rows(path, name, column, file):
                yield Item(whole_letters(image_id), ["table", str(path), column, group, row])


def _kind(paths: Sequence[Path]) -> str:
    endings = {path.suffix.lower() if path.is_file() else "" for path in paths}
    if endings & {".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip"}:
        (packed, *_) = (path for path in paths if path.suffix.lower() in (".gz", ".tgz", ".zst", ".xz", ".bz2", ".zip"))
        raise InputError("is packed", key=str(packed), advice="unpack it first; a plain .tar is read as it is")
    special = endings & {".txt", ".tar", ".parquet"}
    if special and len(endings) > 1:
        raise InputError(
            f"{len(paths)} names of different kinds are given", takes="one folder, one list, tars, or tables"
        )
    if endings == {".txt"}:
        if len(paths) > 1:
            raise InputError(f"{len(paths)} lists are given", advice="join them: cat a.txt b.txt > all.txt")
        return "list"
    if endings in ({".tar"}, {".parquet"}):
        return "tars" if endings == {".tar"} else "tables"
    return "folder" if len(paths) == 1 and paths[0].is_dir() else "photos"


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """What begins the ids of each tar or table: its name, or its path in their common folder if names are equal."""
    names = {path: path.name for path in paths}
    if len({*names.values()}) == len(names):
        return names
    top = os.path.commonpath([path.parent for path in names])
    return {path: path.relative_to(top).as_posix() for path in names}


def _members(path: Path) -> Iterator[tuple[str, list[object]]]:
    """(name, place) of the photos of a tar. Damage ends it, and is an entry of its own."""
    try:
        for _, member in members(path):
            if not _is_photo_name(member.name):
                continue
            if not member.isreg() or member.issparse():
                yield member.name, ["bad", "a link or device in a tar"]
            elif member.size > LARGEST:
                yield member.name, ["bad", "too large"]
            else:
                yield member.name, ["tar", str(path), member.offset_data, member.size]
    except DAMAGED:
        yield path.name, ["bad", "damaged or truncated tar"]


def _is_photo_name(name: str) -> bool:
    base = name.rpartition("/")[2]
    return base.lower().endswith(SUFFIXES) and not base.startswith(".")
