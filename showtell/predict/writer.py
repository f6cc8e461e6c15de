"""Captions -> a `.json`, `.jsonl` or `.csv` file, which is replaced only when the new one is whole.

Until then each caption is a line of `NAME.partial`, on the disk as soon as it is known. A stop leaves that file, and a
writer that resumes goes on from it. A line:
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
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import NO_LINK, whole

try:
    import fcntl
except ImportError:  # Windows: two writers of one file are the user's to avoid
    fcntl = None  # type: ignore[assignment]

Row = dict[str, Any]


def as_json(rows: Iterable[Row]) -> str:
    return json.dumps({row["image_id"]: row["caption"] for row in rows}, ensure_ascii=False, indent=1) + "\n"


def as_jsonl(rows: Iterable[Row]) -> str:
    return "".join(json.dumps({name: row[name] for name in COLUMNS}, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([("image_id", "caption"), *((row["image_id"], row["caption"]) for row in rows)])
    return text.getvalue()


COLUMNS = ("image_id", "caption", "log_prob")
FORMS: dict[str, Callable[[Iterable[Row]], str]] = {".json": as_json, ".jsonl": as_jsonl, ".csv": as_csv}


START = b'{"image_id": "'  # of every line, so that a file of somebody else is told from ours


class Writer:
    """`with Writer(path) as writer: writer.write(image_id, caption)`; with no path, nothing is written.

    `done` are the images that have a caption already. `partial` is the file of lines, or None if what stands at `path`
    cannot be replaced, such as a pipe: that one gets its rows as they are known (.json at the end).
    """

    def __init__(
        self,
        path: Path | None,
        *,
        resume: bool = False,
        made_by: str = "",
        photos: Mapping[str, Path] | None = None,
    ) -> None:
        """`made_by` is the captioner's fingerprint. `photos` are all that the file is about, in its order."""
        if path is not None and path.suffix not in FORMS:
            raise InputError(f"--out is {str(path)!r}; it takes a name that ends in .json, .jsonl or .csv")
        if path is not None and path.is_dir():
            raise InputError(f"--out {path} is a folder; it takes a file's name")
        self.path, self.resume, self.made_by, self.photos = path, resume, made_by, photos
        self.rows: dict[str, Row] = {}
        self.replaced = False  # whether captions of an earlier writer, which stopped, were thrown away
        replaceable = path is not None and (path.is_file() or not path.exists())
        self.partial = path.with_name(f"{path.name}.partial") if path is not None and replaceable else None
        self._file: BinaryIO | None = None

    @property
    def done(self) -> set[str]:
        return set(self.rows)

    def write(self, image_id: str, caption: Caption) -> None:
        if self.path is None:
            return
        row = {"image_id": image_id, "caption": caption.text, "log_prob": caption.log_prob}
        row |= {"photo": self._digest(image_id), "made_by": self.made_by}
        if self.partial is not None:
            self._put((json.dumps(row) + "\n").encode())
        elif self.path.suffix != ".json":
            self._put(self._content([row], header=False))
        self.rows[image_id] = row

    def _digest(self, image_id: str) -> str | None:
        """Tells a photo from another that has taken its name since."""
        return digest_file(self.photos[image_id]) if self.photos and image_id in self.photos else None

    def _content(self, rows: Iterable[Row], header: bool = True) -> bytes:
        assert self.path is not None
        form = FORMS[self.path.suffix]
        text = form(rows) if header else form(rows).removeprefix(form([]))
        return text.encode("utf-8", "backslashreplace")  # names of files may hold bytes that are no letters

    def _put(self, line: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            if self.partial is None:
                raise self._unwritable(error) from None
            raise InputError(f"{self.partial} cannot be written: {error.strerror}; {self._kept()}") from None

    def _kept(self) -> str:
        return f"it has {len(self.rows):,} captions, and --resume goes on from there"

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
        """The file of lines, which no other writer has."""
        number = os.open(partial, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise InputError(f"{partial} is no ordinary file; move it away, or name another --out")
            _lock(number, partial)
            ours = _is_at(number, partial)
        except BaseException:
            os.close(number)
            raise
        if ours:
            return os.fdopen(number, "r+b")
        os.close(number)  # its writer ended, and took it away, between our two steps
        return self._open_partial(partial)

    def _begin(self) -> None:
        """Take over what an earlier writer left in the file of lines, or empty it."""
        assert self._file is not None
        if self.partial is None:
            if self.path is not None and self.path.suffix == ".csv":
                self._put(self._content([]))
            return
        content = self._file.read()
        if not START.startswith(content[: len(START)]):
            raise InputError(
                f"{self.partial} holds no captions of `showtell caption`; move it away, or name another --out"
            )
        lines, _, _ = content.rpartition(b"\n")  # what is behind the last one was cut short by a kill
        if self.resume:
            self.rows = self._going_on(lines.split(b"\n"))
        else:
            self.replaced = bool(lines)
        self._file.seek(len(lines) + 1 if self.resume and lines else 0)
        self._file.truncate()

    def _going_on(self, lines: Iterable[bytes]) -> dict[str, Row]:
        """The captions that hold: of this captioner, and of photos that are asked for and are still the same."""
        rows = {row["image_id"]: row for row in map(_row, lines) if row is not None}
        if any(row["made_by"] != self.made_by for row in rows.values()):
            raise InputError(
                f"{self.partial} was begun with another model or other decoding; go on with the same, or "
                "leave --resume out to begin anew"
            )
        if self.photos is None or not rows:
            return rows
        if not rows.keys() & self.photos.keys():
            raise InputError(
                f"{self.partial} was begun with other photos; go on with the same, or leave --resume out to begin anew"
            )
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
            with contextlib.suppress(OSError):  # told when it was written
                self._file.close()
            self._file = None


def _is_at(number: int, path: Path) -> bool:
    """Whether this open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(number), path.lstat())
    except FileNotFoundError:
        return False


def _lock(number: int, partial: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{partial} is being written by another process; name another --out") from None
    except OSError:  # a network disk without locks
        return


def _row(line: bytes) -> Row | None:
    """None for a line that is damaged: its photo is captioned again."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    is_ours = isinstance(row, dict) and {*COLUMNS, "photo", "made_by"} <= row.keys()
    return row if is_ours and isinstance(row["image_id"], str) and isinstance(row["caption"], str) else None
