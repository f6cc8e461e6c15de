"""What is a file, and how much of it is read: every reader of a file that others made asks here first.

Reading a pipe or a device may never end, and a file of one terabyte may take no place on the disk. So a file is opened
only if it is an ordinary one, is at most as large as its kind may be, and was written: a file that is mostly a hole is
a download that was cut.
"""

import errno
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from showtell.plumbing.errors import InputError

# Bytes that a file may have, by what it is.
RECIPE = 2**20
BESIDE_MODEL = 2**28  # config.json, tokenizer.json and the like
TEXT = 2**30  # captions and lists; COCO's training captions have 0.1 GB
WHOLE = 2**32  # arrays that can only be read at once, as those of a pickle
ANY = 2**46  # files of which only parts are read, or which are mapped into the memory
MODEL_FILES = {
    **dict.fromkeys((".json", ".txt", ".model", ".jinja", ".tiktoken", ".vocab"), BESIDE_MODEL),
    **dict.fromkeys((".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack"), ANY),
}

MOST_HOLE = 2**26  # bytes of a file that may be missing on the disk
DEEPEST = 64  # levels of lists and objects in a JSON file
LONGEST_NUMBER = 40  # digits of a whole number
HALF = re.compile("[\ud800-\udfff]")  # half of a pair of UTF-16, which no file can hold
_KINDS = {stat.S_ISDIR: "folder", stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket"}


def why_not(path: Path, most: int = ANY) -> str:
    """Why this file is not read, as the end of a sentence: `does not exist`. Empty if it is read."""
    try:
        os.close(_open(path, most))
    except _Refused as refused:
        return str(refused)
    return ""


def check_file(path: Path, most: int = ANY) -> None:
    """Raise InputError unless this is an ordinary file of at most so many bytes that may be read."""
    if wrong := why_not(path, most):
        raise InputError(wrong, key=str(path))


def check_model_files(folder: Path) -> None:
    """`check_file` for what a library will read of a model's folder. The library itself checks nothing."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix in MODEL_FILES:
            check_file(path, MODEL_FILES[path.suffix])


def open_file(path: Path, most: int = ANY) -> BinaryIO:
    """The open file. Raises InputError if it is not one, too large, or may not be read."""
    try:
        number = _open(path, most)
    except _Refused as refused:
        raise InputError(str(refused), key=str(path)) from None
    return open(path, "rb", opener=lambda *_: number)  # not os.fdopen, so that the file knows its name


def read_bytes(path: Path, most: int = BESIDE_MODEL) -> bytes:
    """The content of a file. Raises InputError as `open_file` does, and if the file grows meanwhile."""
    with open_file(path, most) as file:
        try:
            # One byte more than it has: without a number, reading a file that grows may not end.
            content = file.read(os.fstat(file.fileno()).st_size + 1)
            grows = bool(file.read(1))
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", key=str(path)) from None
    if grows or len(content) > most:
        raise InputError("is being written by another program", key=str(path))
    return content


def read_text(path: Path, most: int = BESIDE_MODEL) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises InputError."""
    try:
        return read_bytes(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = f"is no text in UTF-8: byte {error.start:,} is {error.object[error.start]:#04x}"
        raise InputError(wrong, key=str(path)) from None


def read_json(path: Path, most: int = BESIDE_MODEL) -> Any:
    """The content of a JSON file. Raises InputError, also for what `parse_json` refuses."""
    text = read_text(path, most)
    try:
        return parse_json(text)
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", key=str(path)) from None


def parse_json(
    text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None, mend: bool = True
) -> Any:
    r"""The content of JSON that others wrote; `pairs` makes an object of its pairs. Raises only ValueError.

    Refused are more than DEEPEST levels and endless numbers, because they break what is done with them later. Half of a
    pair of UTF-16, such as `\ud83d` in a caption that was cut, becomes the text `\ud83d`; `mend=False` keeps it.

    >>> parse_json('{"caption": "a \\ud83d"}')
    {'caption': 'a \\ud83d'}
    """
    try:
        content = json.loads(text, parse_int=_whole_number, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels") from None
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    halves = mend and re.search(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]", raw) is not None
    return _walked(content, mend) if halves or _may_be_deep(raw) else content


def _open(path: Path, most: int) -> int:
    """The descriptor of an ordinary file that may be read."""
    try:
        _check_kind(path.stat(), most)  # before it is opened: opening some devices does something
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise _Refused(_words(path, error)) from None
    except ValueError:  # a null byte in the name
        raise _Refused("does not exist") from None
    try:
        status = os.fstat(number)
        _check_kind(status, most)
        _check_written(number, status.st_size)
    except BaseException:
        os.close(number)
        raise
    return number


class _Refused(Exception):
    """A file that is not read; the message is the end of a sentence."""


def _check_kind(status: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_it, name in _KINDS.items() if is_it(status.st_mode)), "device")
        raise _Refused(f"is a {kind}, not an ordinary file")
    if status.st_size > most:
        raise _Refused(_too_large(status.st_size, most))


def _too_large(size: int, most: int) -> str:
    return f"is too large: {size / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} MB are read"


def _check_written(file: int, size: int) -> None:
    """Refuse a file that is mostly hole. Disks that know no holes say that all of it is written."""
    if size <= MOST_HOLE or not hasattr(os, "SEEK_DATA"):
        return
    written, place = 0, 0
    try:
        while place < size and written <= size // 2:
            start = os.lseek(file, place, os.SEEK_DATA)
            place = os.lseek(file, start, os.SEEK_HOLE)
            written += place - start
    except OSError as error:
        if error.errno != errno.ENXIO:  # ENXIO: no more data; anything else: this disk cannot say
            written = size
    os.lseek(file, 0, os.SEEK_SET)
    if size - written > MOST_HOLE and written <= size // 2:
        raise _Refused(f"was never written: {written / 1e6:,.0f} of its {size / 1e6:,.0f} MB are on the disk")


def _words(path: Path, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be read: permission denied"
    if error.errno == errno.ELOOP:
        return "is a link that leads to itself"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return "is a link that leads nowhere" if path.is_symlink() else "does not exist"
    return f"cannot be read: {error.strerror or error}"


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"it has a number of {len(digits):,} digits")
    return int(digits)


def _may_be_deep(raw: bytes) -> bool:
    """Whether brackets in brackets remain after DEEPEST rounds of removing the innermost pairs; texts may have some."""
    brackets = raw.translate(None, _NO_BRACKETS)
    for _ in range(DEEPEST):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return bool(brackets)


_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _walked(value: Any, mend: bool, depth: int = 0) -> Any:
    """The value, with halves of pairs written out if `mend`. Raises ValueError if it is too deep."""
    if depth > DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        return whole_letters(value) if mend else value
    if isinstance(value, dict):
        return {_walked(key, mend): _walked(each, mend, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_walked(each, mend, depth + 1) for each in value)
    return value


def whole_letters(text: str) -> str:
    r"""A text that can be written as UTF-8: half of a pair, or a byte that is no UTF-8, becomes a text as `\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode() if HALF.search(text) else text
