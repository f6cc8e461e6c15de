"""A caption -> a text beside its photo: `dog.jpg` -> `dog.txt`. A text of somebody else stays, unless asked."""

import os
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import NO_LINK, write_text
from showtell.predict.album.items import Item

ENDING = ".txt"


def write_sidecar(item: Item, text: str, overwrite: bool) -> bool:
    """Whether the text now stands beside the photo. False if another text stands there. Raises InputError."""
    path = Path(item.place[1]).with_suffix(ENDING)
    if overwrite:
        write_text(path, text + "\n")
        return True
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o666)
    except FileExistsError:
        return _holds(path, text)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write((text + "\n").encode())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    return True


def _holds(path: Path, text: str) -> bool:
    """Whether a file holds this text already, as after a run that was stopped."""
    try:
        return path.is_file() and path.stat().st_size < 2**20 and path.read_bytes() == (text + "\n").encode()
    except OSError:
        return False


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot be written: {error.strerror}", key=str(path), advice="then run again; nothing is lost")
