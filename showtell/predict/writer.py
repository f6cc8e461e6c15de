"""Captions -> a `.json`, `.jsonl` or `.csv` file. An old file is replaced only when the new one is complete.

Until then each caption is one line of `NAME.partial`, written at once. If the work is stopped, this file stays, and a
writer with `resume=True` continues from it. A line, with digests of the photo and of the captioner:
`{"image_id": "a.jpg", "caption": "a dog", "log_prob": -3.2, "photo": "9c...", "made_by": "1f..."}`
"""

import contextlib
import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from showtell.cache.contents import digest_file
from showtell.captioners.caption import Caption
from showtell.plumbing.console import cell
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import NO_LINK, whole
from showtell.plumbing.lock import locked
from showtell.plumbing.reading import parse_json

Row = dict[str, Any]


def as_json(rows: Iterable[Row]) -> str:
    content = {row["image_id"]: _texts(row) if OTHERS in row else row["caption"] for row in rows}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def as_jsonl(rows: Iterable[Row]) -> str:
    lines = ({name: each[name] for name in COLUMNS} for row in rows for each in _each(row))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def as_csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    lines = ((cell(row["image_id"]), cell(caption)) for row in rows for caption in _texts(row))
    csv.writer(text).writerows([("image_id", "caption"), *lines])
    return text.getvalue()


def _each(row: Row) -> list[Row]:
    """One row for each caption of the image, the best first."""
    return [row, *(row | {"caption": text, "log_prob": log_prob} for text, log_prob in row.get(OTHERS, ()))]


def _texts(row: Row) -> list[str]:
    return [each["caption"] for each in _each(row)]


USE_THE_SAME = "continue with the same ones, or start again without --resume"
COLUMNS = ("image_id", "caption", "log_prob")
OTHERS = "others"  # [caption, log_prob] of each further caption of an image; only with `several`
FORMS: dict[str, Callable[[Iterable[Row]], str]] = {".json": as_json, ".jsonl": as_jsonl, ".csv": as_csv}


START = b'{"image_id": "'  # the start of every line; another start means that the file is not ours


class Writer:
    """`with Writer(path) as writer: writer.write(image_id, caption)`. If the path is None, nothing is written.

    `done` are the images that already have a caption. `partial` is the file of lines. It is None if `path` cannot be
    replaced, for example a pipe: then each row goes directly to `path` (.json goes there at the end).
    """

    def __init__(
        self,
        path: Path | None,
        *,
        resume: bool = False,
        made_by: str = "",
        photos: Mapping[str, Path] | None = None,
        several: bool = False,
    ) -> None:
        """`made_by` is the captioner's fingerprint. `photos` are all photos of the file, in the order of its rows.

        `several`: each image has a list of captions. A .json then has lists, a .csv or .jsonl a line for each caption.
        """
        if path is not None and path.suffix not in FORMS:
            raise InputError(key="--out", value=str(path), takes="a name that ends in .json, .jsonl or .csv")
        if path is not None and path.is_dir():
            raise InputError(f"is {path}, which is a folder", key="--out", value=str(path), takes="the name of a file")
        self.path, self.resume, self.made_by, self.photos = path, resume, made_by, photos
        self.several, self.rows = several, dict[str, Row]()
        self.replaced = False  # whether the captions of an earlier, stopped writer were dropped
        replaceable = path is not None and (path.is_file() or not path.exists())
        self.partial = path.with_name(f"{path.name}.partial") if path is not None and replaceable else None
        self._file: BinaryIO | None = None

    @property
    def done(self) -> set[str]:
        return set(self.rows)

    def write(self, image_id: str, caption: Caption) -> None:
        if self.path is None:
            return
        row: Row = {"image_id": image_id, "caption": caption.text, "log_prob": caption.log_prob}
        row |= {"photo": self._digest(image_id), "made_by": self.made_by}
        if self.several:
            row[OTHERS] = [[other.text, other.log_prob] for other in caption.others]
        if self.partial is not None:
            self._put((json.dumps(row) + "\n").encode())
        elif self.path.suffix != ".json":
            self._put(self._content([row], header=False))
        self.rows[image_id] = row

    def _digest(self, image_id: str) -> str | None:
        """A digest of the photo's bytes, so that `resume` sees if another photo now has this name."""
        return digest_file(self.photos[image_id]) if self.photos and image_id in self.photos else None

    def _content(self, rows: Iterable[Row], header: bool = True) -> bytes:
        assert self.path is not None
        form = FORMS[self.path.suffix]
        text = form(rows) if header else form(rows).removeprefix(form([]))
        return text.encode("utf-8", "backslashreplace")  # file names may hold bytes that are not UTF-8

    def _put(self, line: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            if self.partial is None:
                raise self._unwritable(error) from None
            raise InputError(
                f"cannot be written: {error.strerror}", key=str(self.partial), advice=self._kept()
            ) from None

    def _kept(self) -> str:
        return f"it keeps {len(self.rows):,} captions; continue with --resume"

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"--out {self.path} cannot be written: {error.strerror} ({error.filename or self.path})")

    def __enter__(self) -> "Writer":
        if self.path is None:
            return self
        try:
            self._file = self._open_partial(self.partial) if self.partial is not None else self.path.open("wb")
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    def _open_partial(self, partial: Path) -> BinaryIO:
        """Open and lock the file of lines. Raises InputError if another process writes it."""
        number = os.open(partial, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                advice = "move it away, or choose another --out"
                raise InputError("is not an ordinary file", key=str(partial), advice=advice)
            _lock(number, partial)
            ours = _is_at(number, partial)
        except BaseException:
            os.close(number)
            raise
        if ours:
            return os.fdopen(number, "r+b")
        os.close(number)  # its writer ended and deleted it after we opened it
        return self._open_partial(partial)

    def _begin(self) -> None:
        """With `resume`, take over the lines of an earlier writer; else empty the file."""
        assert self._file is not None
        if self.partial is None:
            if self.path is not None and self.path.suffix == ".csv":
                self._put(self._content([]))
            return
        content = self._file.read()
        if not START.startswith(content[: len(START)]):
            raise InputError(
                "was not written by `showtell caption`",
                key=str(self.partial),
                advice="move it away, or choose another --out",
            )
        lines, _, _ = content.rpartition(b"\n")  # a kill may leave half a line at the end
        if self.resume:
            self.rows = self._resumed(lines.split(b"\n"))
        else:
            self.replaced = bool(lines)
        self._file.seek(len(lines) + 1 if self.resume and lines else 0)
        self._file.truncate()

    def _resumed(self, lines: Iterable[bytes]) -> dict[str, Row]:
        """The rows that are still valid: the photo is asked for and has not changed.

        Raises InputError if another captioner made them, or if none of their photos is asked for.
        """
        rows = {row["image_id"]: row for row in map(_row, lines) if row is not None}
        if any(row["made_by"] != self.made_by for row in rows.values()):
            raise InputError(
                "was begun with another model or other decoding", key=str(self.partial), advice=USE_THE_SAME
            )
        if self.photos is None or not rows:
            return rows
        if not rows.keys() & self.photos.keys():
            raise InputError("was begun with other photos", key=str(self.partial), advice=USE_THE_SAME)
        rows = {image_id: row for image_id, row in rows.items() if image_id in self.photos}
        return {image_id: row for image_id, row in rows.items() if row["photo"] == self._digest(image_id)}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.path is not None:
                self._finish(self.path)
            elif self.partial is not None and not self.rows:
                self.partial.unlink(missing_ok=True)
        finally:
            self._close()

    def _finish(self, path: Path) -> None:
        places = {image_id: place for place, image_id in enumerate(self.photos or ())}
        rows = sorted(self.rows.values(), key=lambda row: places.get(row["image_id"], len(places)))
        if self.partial is None:
            if path.suffix == ".json":
                self._put(self._content(rows))
            return
        try:
            with whole(path) as part:
                part.write_bytes(self._content(rows))
        except InputError as error:
            raise InputError(f"--out {error}; {self.partial}: {self._kept()}") from None
        self.partial.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # _put has already reported a failed write
                self._file.close()
            self._file = None


def _is_at(number: int, path: Path) -> bool:
    """Whether the open file is still the file at `path`."""
    try:
        return os.path.samestat(os.fstat(number), path.lstat())
    except FileNotFoundError:
        return False


def _lock(number: int, partial: Path) -> None:
    if locked(number) is False:
        advice = "wait until it ends, or choose another --out"
        raise InputError("is being written by another process", key=str(partial), advice=advice)


def _row(line: bytes) -> Row | None:
    """The row in a line, or None if the line is damaged; then the photo is captioned again."""
    try:
        row = parse_json(line)
    except ValueError:
        return None
    is_ours = isinstance(row, dict) and {*COLUMNS, "photo", "made_by"} <= row.keys()
    if not is_ours or not isinstance(row["image_id"], str) or not isinstance(row["caption"], str):
        return None
    return row if _are_others(row.get(OTHERS, [])) else None


def _are_others(others: Any) -> bool:
    pairs = others if isinstance(others, list) else [None]
    return all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs)
