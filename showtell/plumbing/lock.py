"""One writer at a time for a folder: a lock that the operating system keeps, so that a kill frees it.

The file `.lock` is there while the folder is in use, and stays after a kill; who holds it is decided by the system, not
by whether the file exists. On a network disk that is as sure as its own locks are. A disk that has no locks, and
Windows, give none: there two writers at once are the user's to avoid.
"""

import contextlib
import errno
import json
import os
import socket
from datetime import datetime
from pathlib import Path

from showtell.plumbing.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: two writers at once are the user's to avoid
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
HELD = (errno.EAGAIN, errno.EACCES)  # what a disk says of a lock that another process has
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)  # what one says that has none


class Lock:
    """`with Lock(run) as lock: ...; lock.take()`: from then on, until the end of the block, no other process has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    @property
    def taken(self) -> bool:
        return self._file is not None

    def take(self) -> None:
        """Raises InputError, with who has the folder and since when, if another process does; OSError from the disk."""
        if self._file is not None:
            return
        file = self._open()
        if not _locked(file):
            holder = os.read(file, 1000)
            os.close(file)
            raise InputError(f"{self.folder} is in use: {_told(holder)}; wait for its end, or name another") from None
        if not self._is_ours(file):  # its holder ended, and took the file away, between our two steps
            os.close(file)
            self.take()
            return
        self._file = file
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        said = json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": since})
        os.ftruncate(file, 0)
        os.write(file, said.encode())

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)  # not on Windows
        return os.open(self.folder / NAME, flags, 0o644)

    def _is_ours(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), (self.folder / NAME).lstat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                (self.folder / NAME).unlink()  # a run that ended has no lock in it
            os.close(self._file)  # which frees it
            self._file = None


def _locked(file: int) -> bool:
    """Lock an open file, if the disk can; False if another process has it. Raises OSError, with the file closed."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            return False
        if error.errno not in NO_LOCKS:
            os.close(file)
            raise
    return True


def _told(holder: bytes) -> str:
    try:
        said = json.loads(holder)
        return (
            f"process {int(said['process'])} on {str(said['host'])[:60]} writes there since {str(said['since'])[:30]}"
        )
    except (ValueError, KeyError, TypeError):
        return "another process writes there"
