"""Files written whole or not at all: a reader, or a kill, never finds half of one."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from showtell.plumbing.errors import InputError


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write what is given, beside `path`; then it is moved into place. Raises InputError for what the disk refuses."""
    part = path.with_name(path.name + ".part")
    try:
        yield part
        sync(part)
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}; what stood there is untouched") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


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
