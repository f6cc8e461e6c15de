"""A caption -> a text beside its photo: `dog.jpg` -> `dog.txt`. A text of somebody else stays, unless asked."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import NO_LINK, write_text
from showtell.predict.album.items import Item

ENDING = ".txt"


def text_beside(photo: str) -> str:
    """
    >>> text_beside("trip/dog.jpg")
    'trip/dog.txt'
    """
    return os.path.splitext(photo)[0] + ENDING  # noqa: PTH122 - a Path takes ten times as long, for every photo


class Sharing(NamedTuple):
    """Photos whose text would be the same file: `dog.jpg` and `dog.jpeg`. The first of the plan is its `owner`.

    `photos` counts the others, and `first` is one of them.
    """

    owner: dict[str, str]  # text -> photo
    photos: int = 0
    first: str = ""


def sharing(photos: Callable[[], Iterable[Item]], inputs: Sequence[Path]) -> Sharing:
    """Raises InputError if a text would replace a photo of the album, or the list that it comes from.

    Few photos share a text, so of most texts only a number of 8 bytes is kept in memory.
    """
    texts = [Path(photo) for _, photo in _files(photos()) if photo.lower().endswith(ENDING)]
    never: dict[str, list[Path]] = {}
    for path in [*texts, *inputs]:
        never.setdefault(path.name.lower(), []).append(path)
    numbers = np.fromiter((hash(text_beside(photo)) for _, photo in _files(photos())), np.int64)
    unique, times = np.unique(numbers, return_counts=True)
    often = {*unique[times > 1].tolist()}
    found = Sharing({})
    for image_id, photo in _files(photos()):
        text = text_beside(photo)
        for path in never.get(os.path.basename(text).lower(), ()):  # noqa: PTH119 - as above
            _check_other(text, path, image_id)
        if hash(text) in often and found.owner.setdefault(text, photo) != photo:
            found = Sharing(found.owner, found.photos + 1, found.first or image_id)
    return found


def _files(items: Iterable[Item]) -> Iterator[tuple[str, str]]:
    return ((item.image_id, item.place[1]) for item in items if item.place[0] == "file")


def _check_other(text: str, path: Path, image_id: str) -> None:
    try:
        same = text == str(path) or path.samefile(text)
    except OSError:  # the text does not exist
        same = False
    if same:
        wrong = f"would write the caption of {image_id} into {path}, which is a photo or the list of the album"
        raise InputError(wrong, key="--sidecar", advice="rename that file, or leave --sidecar away")


def write_sidecar(item: Item, text: str, overwrite: bool) -> bool:
    """Whether the text now stands beside the photo. False if another text stands there. Raises InputError."""
    path = Path(text_beside(item.place[1]))
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
