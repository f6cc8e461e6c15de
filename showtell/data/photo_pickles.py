"""One pickle a photo, as the Oslo course (IN5400) stores COCO: captions as token numbers, and region features.

`ROOT/Train2017_STUB/*` and `ROOT/Val2017_STUB/*` hold {imgPath, original_captions, captions, captionsAsTokens,
cnn_features}; `ROOT/vocabulary/vocabulary.pickle` has the words. The pickles are read without running them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from showtell.data.photos import existing_folder
from showtell.data.record import LeftOut, Record, Records
from showtell.data.vocabulary_pickle import read_vocabulary
from showtell.plumbing import pickles
from showtell.plumbing.errors import InputError

FOLDERS = {"train": "Train2017_", "val": "Val2017_"}
PHOTOS = {"train": "train2017", "val": "val2017"}
KEYS = ("imgPath", "original_captions", "captions", "captionsAsTokens", "cnn_features")
MOST_REGIONS = 36  # the course's loader takes so many rows


class Photo(NamedTuple):
    """`tokens` has the numbers of each caption with start (1) and end (0); `features` is (D) or (N D)."""

    name: str
    tokens: list[list[int]]
    features: NDArray[Any]


def read_photo(path: Path) -> Photo:
    """Raises InputError if the file is not a photo of the course, or asks for anything but numbers and texts."""
    content = pickles.load(path)
    lacking = [key for key in KEYS if not isinstance(content, dict) or key not in content]
    if lacking:
        raise InputError(f"has no {lacking[0]!r}", key=str(path), takes=f"a dict with {', '.join(KEYS)}")
    name, tokens, features = content["imgPath"], content["captionsAsTokens"], content["cnn_features"]
    rows = [list(row) for row in tokens] if _are_lists(tokens) else None
    if not isinstance(name, str) or not isinstance(features, np.ndarray) or rows is None:
        takes = "imgPath a text, captionsAsTokens lists of numbers, cnn_features an array"
        raise InputError("has values of other types", key=str(path), takes=takes)
    return Photo(
        Path(name).name,
        [[int(number) for number in row] for row in rows],
        features[:MOST_REGIONS] if features.ndim == 2 else features,
    )


def _are_lists(tokens: Any) -> bool:
    if not isinstance(tokens, list | tuple) or not all(isinstance(row, list | tuple | np.ndarray) for row in tokens):
        return False
    return all(isinstance(number, int | np.integer) and number >= 0 for row in tokens for number in row)


def find_pickles(root: Path, stub: str) -> Iterator[tuple[str, Path]]:
    """(split, file) of every photo. Raises InputError if a folder is missing or has no file."""
    for split, begin in FOLDERS.items():
        folder = root / f"{begin}{stub}"
        files = sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []
        if not files:
            wrong = "is empty" if folder.is_dir() else "does not exist"
            advice = "set data.root and data.stub; the folders are Train2017_STUB and Val2017_STUB"
            raise InputError(wrong, key=str(folder), advice=advice)
        yield from ((split, path) for path in files)


def photo_pickles(*, root: Path, stub: str = "detectron2_lim10maxfeatures", first: bool = True) -> Records:
    """Captions are words of the vocabulary. `first`: training uses only each photo's first caption, as the course's
    trainer does; validation uses all. Photos themselves need not exist.
    """
    root = existing_folder(root)
    files = list(find_pickles(root, stub))
    words = read_vocabulary(root / "vocabulary" / "vocabulary.pickle")
    records, left_out = [], []
    for split, path in files:
        photo = read_photo(path)
        captions = [_text(row, words) for row in photo.tokens]
        captions = [text for text in captions if text][: 1 if first and split == "train" else None]
        if captions:
            records.append(Record(photo.name, root / PHOTOS[split] / photo.name, tuple(captions), split))
        else:
            left_out.append(LeftOut(photo.name, "no caption"))
    return Records(records, form=f"photo_pickles: {stub}", left_out=left_out)


def _text(row: list[int], words: list[str]) -> str:
    """The words between start and end. A number outside the vocabulary stands for itself, so it matches no word."""
    return " ".join(words[number] if number < len(words) else f"number{number}" for number in row if number > 1)
