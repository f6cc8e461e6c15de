"""A tar -> its members, one after another. A damaged or truncated tar raises one of DAMAGED, after its good members."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from showtell.plumbing.reading import open_file

DAMAGED = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError)
BLOCK = 2**20  # bytes that are read at once of a tar's end


def members(path: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The open tar with each of its members. tarfile would keep all members in memory; here they go at once.

    A tar that is mostly a hole raises InputError, a ValueError: its end of zeros would be read for hours.
    """
    with open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
        last = -1
        while (member := tar.next()) is not None:
            if member.offset <= last or member.size < 0:  # a damaged tar may lead back to its start: endless loop
                raise tarfile.ReadError("damaged")
            last = member.offset
            tar.members.clear()  # type: ignore[attr-defined]
            yield tar, member
        _check_end(file, tar.offset)


def is_link_or_device(member: tarfile.TarInfo) -> bool:
    return (not member.isreg() or member.issparse()) and not member.isdir()


def _check_end(file: BinaryIO, offset: int) -> None:
    """Raises ReadError if a tar is damaged or truncated. A complete tar ends with blocks of zeros.

    tarfile also stops at a bad header or at the end of the file, so this reads the rest of the file: it must be zeros.
    The zeros may be long: some tools write over a megabyte, and in a broken download they may stand for a lost part.
    """
    if file.seek(0, os.SEEK_END) < offset + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("damaged")
    file.seek(offset)
    while block := file.read(BLOCK):
        if block.strip(b"\0"):
            raise tarfile.ReadError("damaged")
