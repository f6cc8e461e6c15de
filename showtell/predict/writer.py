"""Captions -> a `.json`, `.jsonl` or `.csv` file, which is replaced only when the new one is whole.

Until then each caption is a line of `NAME.partial`, on the disk as soon as it is known. A stop leaves that file, and a
writer that resumes goes on from it: `{"image_id": "a.jpg", "caption": "a dog", "log_prob": -3.2, "made_by": "1f..."}`.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.encoders.frozen import digest
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole

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


def made_by(captioner: Captioner) -> str:
    """What makes captions what they are, in 32 letters: weights, recipe and decoding."""
    decoder = getattr(captioner, "decoder", None)
    tensors = decoder.state_dict() if decoder is not None else None
    return digest((captioner.name, captioner.manner, repr(captioner.recipe)), tensors)


class Writer:
    """`with Writer(path) as writer: writer.write(image_id, caption)`; with no path, nothing is written.

    `done` are the images that have a caption already. `partial` is the file of lines, or None if what stands at `path`
    cannot be replaced, such as a pipe: that one gets its text at the end.
    """

    def __init__(
        self, path: Path | None, *, resume: bool = False, made_by: str = "", order: Iterable[str] = ()
    ) -> None:
        """`order` is that of the images in the file; others come behind them."""
        if path is not None and path.suffix not in FORMS:
            raise InputError(f"--out is {str(path)!r}; it takes a name that ends in .json, .jsonl or .csv")
        self.path, self.resume, self.made_by, self.order = path, resume, made_by, list(order)
        self.rows: dict[str, Row] = {}
        replaceable = path is not None and (path.is_file() or not path.exists())
        self.partial = path.with_name(f"{path.name}.partial") if path is not None and replaceable else None
        self._file: io.BufferedWriter | None = None

    @property
    def done(self) -> set[str]:
        return set(self.rows)

    def write(self, image_id: str, caption: Caption) -> None:
        if self.path is None:
            return
        row = {"image_id": image_id, "caption": caption.text, "log_prob": caption.log_prob, "made_by": self.made_by}
        self.rows[image_id] = row
        if self._file is not None:
            self._put((json.dumps(row) + "\n").encode())

    def _put(self, line: bytes) -> None:
        assert self._file is not None and self.partial is not None
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self.partial} cannot be written: {error.strerror}; {self._kept()}") from None

    def _kept(self) -> str:
        return f"it has {len(self.rows):,} captions, and --resume goes on from there"

    def __enter__(self) -> "Writer":
        if self.partial is None:
            return self
        try:
            number = os.open(self.partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise InputError(f"--out {self.path} cannot be written: {error.strerror} ({self.partial})") from None
        self._file = os.fdopen(number, "r+b")  # type: ignore[assignment]
        try:
            self._begin(number)
        except BaseException:
            self._close()
            raise
        return self

    def _begin(self, number: int) -> None:
        """Hold the file of lines, and take over what an earlier writer left in it, or empty it."""
        assert self._file is not None
        if fcntl is not None:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{self.partial} is being written by another process; name another --out") from None
        length = 0
        if self.resume:
            for line in self._file:
                row = _row(line)
                if row is None:  # a kill cut it short
                    break
                if row["made_by"] != self.made_by:
                    raise InputError(
                        f"{self.partial} was begun with another model or other decoding; go on with the same, or "
                        "leave --resume out to begin anew"
                    )
                self.rows[row["image_id"]] = row
                length += len(line)
        self._file.seek(length)
        self._file.truncate()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self.path is not None:
                self._finish(self.path)
            elif self.partial is not None and not self.rows:
                self.partial.unlink(missing_ok=True)
        finally:
            self._close()

    def _finish(self, path: Path) -> None:
        places = {image_id: place for place, image_id in enumerate(self.order)}
        rows = sorted(self.rows.values(), key=lambda row: places.get(row["image_id"], len(places)))
        # Names of files may hold bytes that are no letters: escaped, not refused.
        content = FORMS[path.suffix](rows).encode("utf-8", "backslashreplace")
        if self.partial is None:
            try:
                path.write_bytes(content)
            except OSError as error:
                raise InputError(f"--out {path} cannot be written: {error.strerror}") from None
            return
        try:
            with whole(path) as part:
                part.write_bytes(content)
        except InputError as error:
            raise InputError(f"--out {error}; {self.partial}: {self._kept()}") from None
        self.partial.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # told when it was written
                self._file.close()
            self._file = None


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole_row = isinstance(row, dict) and {*COLUMNS, "made_by"} <= row.keys() and isinstance(row["image_id"], str)
    return row if whole_row and isinstance(row["caption"], str) and line.endswith(b"\n") else None
