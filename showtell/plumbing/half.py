"""Make a folder whole or not at all. What a killed process left of one is deleted when the next one is made there.

The files are written into `.NAME-XXXXXXXX.half` beside the folder, which then gets the folder's name. Its maker holds a
lock on it, which the system frees when the process ends. So a half folder without a locked `.lock` is nobody's.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import mkdtemp

from showtell.plumbing.files import NO_LINK, set_aside
from showtell.plumbing.lock import NAME, Lock, locked

HALF = ".half"


@contextmanager
def made_whole(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """`with made_whole(folder) as half:` write into `half`; at the end it becomes `folder`.

    With `replace`, an earlier `folder` is deleted as soon as the new one stands in its place. Raises OSError if the
    disk refuses, or if somebody made `folder` meanwhile.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep_halves(folder.parent)
    half = Path(mkdtemp(prefix=f".{folder.name}-", suffix=HALF, dir=folder.parent))
    try:
        with Lock(half) as lock:
            lock.take()
            yield half
            half.chmod(0o755)  # mkdtemp makes folders that only the owner can read
            (half / NAME).unlink(missing_ok=True)
            with set_aside(folder) if replace else nullcontext():
                half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def sweep_halves(parent: Path) -> None:
    """Delete the half folders whose makers were killed: those with a lock that nobody holds."""
    for left in parent.glob(f".*{HALF}"):
        if not left.is_symlink() and _is_left(left):
            shutil.rmtree(left, ignore_errors=True)


def _is_left(half: Path) -> bool:
    """Whether nobody holds the lock of this folder. On a disk without locks nobody knows, so the folder stays."""
    try:
        file = os.open(half / NAME, os.O_RDONLY | NO_LINK)
        try:
            return bool(locked(file))
        finally:
            os.close(file)
    except OSError:
        return False
