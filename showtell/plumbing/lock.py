"""Only one process may write into a folder at a time. The operating system keeps the lock, so a kill frees it.

The file `.lock` exists while a process holds the lock, and may stay after a kill. It then locks nothing: the system's
lock counts, not the file. On a network disk the lock is as reliable as that disk's locks. On Windows, and on disks
without locks, nothing is locked, and users must not start two writers.

A `shared` lock is for processes that share a folder's work: any number of them may hold it, but not beside a process
with the whole lock. A lock of another `name` guards a piece of the folder.
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
except ImportError:  # Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
HELD = (errno.EAGAIN, errno.EACCES)  # errors if another process has the lock
# Errors if the disk has no locks:
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class Lock:
    """`with Lock(run) as lock: ...; lock.take()`. From `take` to the end of the block, no other process can take it."""

    def __init__(self, folder: Path, name: str = NAME, *, shared: bool = False) -> None:
        self.folder, self.path, self.shared = folder, folder / name, shared
        self._file: int | None = None

    @property
    def taken(self) -> bool:
        return self._file is not None

    def take(self) -> None:
        """Take the lock. Raises InputError, which says who has it and since when; OSError if the disk refuses."""
        if self._file is not None:
            return
        file = self._open()
        if not self._held(file):
            holder = os.read(file, 1000)
            os.close(file)
            advice = "wait until it ends, or choose another folder"
            raise InputError(f"is in use: {_writer(holder)}", key=str(self.folder), advice=advice) from None
        if not self._is_ours(file):  # the holder ended and deleted the file after we opened it
            os.close(file)
            self.take()
            return
        self._file = file
        if self.shared:
            return
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        holder_now = json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": since})
        os.ftruncate(file, 0)
        os.write(file, holder_now.encode())

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)  # not on Windows
        return os.open(self.path, flags, 0o644)

    def _held(self, file: int) -> bool:
        try:
            return locked(file, shared=self.shared) is not False
        except OSError:
            os.close(file)
            raise

    def _is_ours(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.lstat())
        except FileNotFoundError:
            return False

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            if not self.shared:
                with contextlib.suppress(OSError):
                    self.path.unlink()  # a run that ended has no lock in it
            os.close(self._file)  # which frees it
            self._file = None


def locked(file: int, wait: bool = False, shared: bool = False) -> bool | None:
    """Lock an open file until it is closed. False if another process has it, None if this disk has no locks.

    With `wait`, return when the other process is done. Several processes can have a `shared` lock at once. Raises
    OSError if the disk refuses.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in HELD:
            return False
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


def _writer(holder: bytes) -> str:
    try:
        who = json.loads(holder)
        return f"process {int(who['process'])} on {str(who['host'])[:60]} writes there since {str(who['since'])[:30]}"
    except (ValueError, KeyError, TypeError):
        return "another process writes there"
