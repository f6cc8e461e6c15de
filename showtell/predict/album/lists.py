"""A text file with one path a line -> its paths, from the list's own folder, or else from the working folder.

Read as UTF-8, or as UTF-16 if it begins with the mark that PowerShell writes.
"""

import io
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import TEXT, open_file

LONGEST = 2**16  # letters of a line; systems allow 4,096 bytes in a path
ADVICE = "write one path a line"


def paths(path: Path) -> Iterator[tuple[str, Path]]:
    """(line, path) of each photo. Raises InputError if the file is no list."""
    base = _base(path)
    for line in lines(path):
        yield line, base / line


def check(path: Path) -> None:
    """Raise InputError unless all of it can be read as a list. Quick: no photo is looked at."""
    for _ in lines(path):
        pass


def check_some(path: Path) -> None:
    """Raise InputError unless a line names something that exists. The first one usually does."""
    first = None
    for line, photo in paths(path):
        if os.path.lexists(photo):
            return
        first = first or line
    wrong = "is empty" if first is None else f"names nothing that exists; its first line is {first[:200]!r}"
    raise InputError(wrong, key=str(path), advice=f"{ADVICE}, from the list's folder or from this one")


def lines(path: Path) -> Iterator[str]:
    """The lines that are not blank. A line is bounded, because what is no list may have no line's end."""
    try:
        with open_file(path, TEXT) as raw, io.TextIOWrapper(raw, *_encoding(raw)) as file:
            yield from _checked(path, file)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", key=str(path)) from None


def _encoding(raw: BinaryIO) -> tuple[str, str]:
    """(encoding, what becomes of other bytes). Names of files need not be UTF-8: surrogates keep their bytes."""
    begin = raw.read(2)
    raw.seek(0)
    return ("utf-16", "replace") if begin in (BOM_UTF16_LE, BOM_UTF16_BE) else ("utf-8-sig", "surrogateescape")


def _checked(path: Path, file: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if "\0" in line:  # `find -print0`, or no text at all
            raise InputError(f"is no list: line {number:,} has a null character", key=str(path), advice=ADVICE)
        if len(line) > LONGEST:
            raise InputError(f"is no list: line {number:,} never ends", key=str(path), advice=ADVICE)
        if line.strip():
            yield line.rstrip("\r\n")


def _base(path: Path) -> Path:
    """The folder that the paths begin in: the list's own, or the working folder if only there the first exists."""
    first = next(lines(path), "")
    elsewhere = not os.path.lexists(path.parent / first) and os.path.lexists(first)
    return Path.cwd() if elsewhere else path.parent
