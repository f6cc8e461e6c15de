"""Write a file completely or not at all: after a kill, and for other readers, there is never half a file."""

import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from glob import escape
from pathlib import Path
from typing import BinaryIO

from showtell.plumbing.errors import InputError
from showtell.plumbing.lock import locked
from showtell.plumbing.messages import printable

# Never follow a link at the place of a file, so that nobody can redirect a write. Windows has no such flag.
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """`with whole(path) as part:` write the file `part`, which lies beside `path`; at the end it replaces `path`.

    If `path` is a link, the link itself is replaced. `part` has a random name and must not exist before, so nobody can
    put a link there that redirects the write. Raises InputError if the disk refuses, or if `path` is a device or pipe.
    """
    try:
        with placed(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"cannot be written: {error}", key=str(path), advice="the old file is unchanged") from None


@contextlib.contextmanager
def placed(path: Path) -> Iterator[Path]:
    """Like `whole`, but raises OSError, for callers that have better words for it."""
    _check_ordinary(path)
    _sweep_killed(path)
    part = path.parent / f".{path.name[:40]}.{secrets.token_hex(8)}.part"
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666)
    rights = stat.S_IMODE(os.fstat(file).st_mode)  # what the umask leaves; a library may put its own file in its place
    _hold(file)  # until it is whole: a part that nobody holds is what a kill left
    try:
        yield part
        again = os.open(part, os.O_RDONLY | NO_LINK)  # a library may have put its own file in its place
        os.close(file)
        file = again
        _hold(file)
        part.chmod(rights)
        if path.is_file() and not path.is_symlink():
            # Copied only now, because the old rights may forbid writing.
            part.chmod(stat.S_IMODE(path.stat().st_mode) & 0o777)
        sync(part)
        part.replace(path)
    finally:
        os.close(file)
        with contextlib.suppress(OSError):
            part.unlink()


def _sweep_killed(path: Path) -> None:
    """Delete the parts of this file that killed processes left. Without locks nobody knows which these are."""
    for left in path.parent.glob(f".{escape(path.name[:40])}.*.part"):
        with contextlib.suppress(OSError):
            file = os.open(left, os.O_RDONLY | NO_LINK)
            try:
                if locked(file):
                    left.unlink()
            finally:
                os.close(file)


def _hold(file: int) -> None:
    with contextlib.suppress(OSError):  # then it is swept if another process writes the same file at the same time
        locked(file)


def _check_ordinary(path: Path) -> None:
    """Raise InputError for devices and pipes. For example, root could replace the link /dev/stdout with a file."""
    folder = path.parent.resolve()
    above = {folder, *folder.parents}
    of_system = above & {Path("/dev"), Path("/proc")} and Path("/dev/shm") not in above
    if of_system or (path.exists() and not path.is_file() and not path.is_dir()):
        raise InputError("is not an ordinary file", key=str(path), advice="give the path of a file")


def open_end(path: Path) -> BinaryIO:
    """Open a file to write at its end. Raises OSError, also if it is a link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK, 0o666), "ab")


def append(path: Path, text: str) -> None:
    """Add text to the end of a file. Raises OSError, also if it is a link."""
    with open_end(path) as file:
        file.write(text.encode())


def inside(folder: Path, name: str, key: str) -> Path:
    """`folder / name`. Raises InputError about the option `key` if that is outside the folder, as with `../a`."""
    path = folder / name
    try:
        home, place = folder.resolve(), path.resolve()
        lies_inside = place != home and place.is_relative_to(home)
    except (OSError, ValueError, RuntimeError):  # links that form a circle, or a name that no file can have
        lies_inside = False
    if Path(name).is_absolute() or ".." in Path(name).parts or not lies_inside:
        raise InputError(
            f"has {name!r}, which is outside {folder}", key=key, value=name, takes="relative paths inside that folder"
        )
    return path


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Delete the unfinished parts that a killed process left while `whole` wrote files of these names."""
    for name in names:
        for left in folder.glob(f".{name}.*.part"):
            left.unlink(missing_ok=True)


def clear(path: Path) -> None:
    """Delete a file, or a folder with everything in it. Of a link, only the link is deleted."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def set_aside(folder: Path) -> Iterator[None]:
    """Inside `with`, the folder is gone. If nobody makes it anew there, it comes back; else the old one is deleted.

    A kill leaves the old one as `NAME.XXXXXXXXXXXXXXXX.before`, and the next call does the same with it.
    """
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.before"))
    try:
        yield
    finally:
        for old in folder.parent.glob(f"{escape(folder.name)}.{'[0-9a-f]' * 16}.before"):
            if folder.exists():
                clear(old)
            else:
                old.rename(folder)


def check_writable(values: object, key: str = "") -> None:
    """Raise InputError for a text with bytes that are not UTF-8, in values that will be written into a file.

    A shell passes such bytes on, for example in the name of a folder: `runs/\\xff`.
    """
    if isinstance(values, dict):
        for name, value in values.items():
            check_writable(value, f"{key}.{name}" if key else str(name))
    elif isinstance(values, list | tuple):
        for value in values:
            check_writable(value, key)
    elif isinstance(values, str) and any(0xD800 <= ord(letter) <= 0xDFFF for letter in values):
        raise InputError(f"is {printable(values)}, which has bytes that are not UTF-8", key=key, advice="rename it")


def check_folder(folder: Path, key: str, advice: str = "name another") -> None:
    """Raise InputError about the option `key` if `folder` cannot be written. Called before long work begins."""
    check_writable(str(folder), key)
    here = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    whole = f"{key} {folder}" if here == folder else f"{key} {folder} cannot be made: {here}"
    if not here.is_dir():
        raise InputError(f"{whole} is not a folder; {advice}")
    if not os.access(here, os.W_OK | os.X_OK):
        raise InputError(f"{whole} may not be written to; {advice}")


def sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    with whole(path) as part:
        part.write_text(text, "utf-8")


def write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def cache_folder() -> Path:
    """Where features, scenes and converted models are kept: $SHOWTELL_CACHE, or ~/.cache/showtell."""
    return at_home(os.environ.get("SHOWTELL_CACHE") or "~/.cache/showtell", "SHOWTELL_CACHE")


def at_home(path: str | Path, key: str | None = None) -> Path:
    """The path with `~` resolved. Raises InputError if there is no such user, or this user has no home.

    `key` is the option's name, for the error.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        own = str(path) == "~" or str(path).startswith("~/")
        advice = "this user has no home folder; give a whole path" if own else "there is no such user"
        if key is None:
            raise InputError(f"{path}: {advice}") from None
        raise InputError(key=key, value=str(path), advice=advice) from None
