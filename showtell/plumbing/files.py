"""Files written whole or not at all: a reader, or a kill, never finds half of one."""

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from showtell.plumbing.errors import InputError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write what is given, a new file beside `path`; then it takes the place of `path`, also of a link there.

    The new file's name is drawn at random and made exclusively, so nobody can put a link in its place that leads
    elsewhere. Raises InputError for what the disk refuses.
    """
    part = None
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        os.close(number)
        part = Path(name)
        part.chmod(_mode(path))
        yield part
        sync(part)
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}; what stood there is untouched") from None
    finally:
        if part is not None:
            with contextlib.suppress(OSError):
                part.unlink()


def _mode(path: Path) -> int:
    """The rights of the file that is replaced, or of any new one."""
    if path.is_file() and not path.is_symlink():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def append(path: Path, text: str) -> None:
    """Add text to the end of a file, which may not be a link. Raises OSError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(number, "a", encoding="utf-8") as file:
        file.write(text)


def inside(folder: Path, name: str, key: str) -> Path:
    """`folder / name`, which lies in the folder. Raises InputError, which names the option `key`, if it leads out."""
    path = folder / name
    leads_out = (
        Path(name).is_absolute() or ".." in Path(name).parts or not path.resolve().is_relative_to(folder.resolve())
    )
    if leads_out or path == folder:
        raise InputError(f"{key} has {name!r}, which does not lie in {folder}; it takes paths inside of it")
    return path


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Take away what a kill left of files that `whole` was writing under these names."""
    for name in names:
        for left in folder.glob(f".{name}.*.part"):
            left.unlink(missing_ok=True)


def clear(path: Path) -> None:
    """Take a folder away with all that is in it; of a link only itself."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


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
