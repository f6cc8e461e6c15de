"""Files written whole or not at all: a reader, or a kill, never finds half of one."""

import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from showtell.plumbing.errors import InputError

# A link in the place of a file is never followed, so nobody can lead a write elsewhere. Windows has no such flag.
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write what is given, a new file beside `path`; then it takes the place of `path`, also of a link there.

    The new file's name is drawn at random and made exclusively, so nobody can put a link in its place that leads
    elsewhere. Raises InputError for what the disk refuses, and for a `path` that is a device or a pipe.
    """
    try:
        with placed(path) as part:
            yield part
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}; what stood there is untouched") from None


@contextlib.contextmanager
def placed(path: Path) -> Iterator[Path]:
    """As `whole`, for callers that have better words for an OSError."""
    _check_ordinary(path)
    part = path.parent / f".{path.name[:40]}.{secrets.token_hex(8)}.part"
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666))
    try:
        yield part
        if path.is_file() and not path.is_symlink():
            # Only now: the old rights may forbid to write.
            part.chmod(stat.S_IMODE(path.stat().st_mode) & 0o777)
        sync(part)
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _check_ordinary(path: Path) -> None:
    """InputError for what must never be replaced: /dev/stdout is a link, and root may replace it by a file."""
    folder = path.parent.resolve()
    above = {folder, *folder.parents}
    of_system = above & {Path("/dev"), Path("/proc")} and Path("/dev/shm") not in above
    if of_system or (path.exists() and not path.is_file() and not path.is_dir()):
        raise InputError(f"{path} is no ordinary file, so it cannot be replaced; name a file")


def open_end(path: Path) -> BinaryIO:
    """A file opened to grow at its end; it may not be a link. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK, 0o666), "ab")


def append(path: Path, text: str) -> None:
    """Add text to the end of a file, which may not be a link. Raises OSError."""
    with open_end(path) as file:
        file.write(text.encode())


def inside(folder: Path, name: str, key: str) -> Path:
    """`folder / name`, which lies in the folder. Raises InputError, which names the option `key`, if it leads out."""
    path = folder / name
    try:
        home, place = folder.resolve(), path.resolve()
        lies_inside = place != home and place.is_relative_to(home)
    except (OSError, ValueError, RuntimeError):  # a circle of links, or a name that no file can have
        lies_inside = False
    if Path(name).is_absolute() or ".." in Path(name).parts or not lies_inside:
        raise InputError(f"{key} has {name!r}, which does not lie in {folder}; it takes paths inside of it")
    return path


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Take away what a kill left of files that `whole` was writing under these names."""
    for name in names:
        for left in folder.glob(f".{name}.*.part"):
            left.unlink(missing_ok=True)


def clear(path: Path) -> None:
    """Take a folder away with all that is in it; of a link only itself."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def check_folder(folder: Path, key: str, advice: str = "name another") -> None:
    """Before minutes are spent: InputError, which names the option `key`, where nothing can be written in `folder`."""
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
    return Path(os.environ.get("SHOWTELL_CACHE") or "~/.cache/showtell").expanduser()
