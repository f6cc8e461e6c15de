"""The splits train, val and test: how names of files and folders spell them, and how to divide a set without splits."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

from showtell.plumbing.errors import InputError, RecipeError

Split = Literal["train", "val", "test"]
SPELLED = {  # spellings in names; papers train on `restval`, a part of COCO's validation photos
    "train": ("train", "training", "restval"),
    "val": ("val", "validation", "valid", "dev"),
    "test": ("test", "testing"),
}
SPLITS = {word: split for split, words in SPELLED.items() for word in words}
Files = dict[str | None, Path]  # split -> file; None -> one file for all splits
HOLDER = "{split}"  # in a pattern, it stands for any of those spellings


class Division(NamedTuple):
    """How to divide a set without splits: all photos in one `split`, or shares of them for val and test."""

    split: Split | None = None
    val_share: float = 0.1
    test_share: float = 0.1

    def of(self, image_ids: Iterable[str]) -> dict[str, str]:
        """The split of each image. Sort the ids by digest; the first share is val, the next test, the rest train.

        So the split depends only on the ids, not on their order, a seed or the machine. With shares of 0.1, 20 images
        give 2 val, 2 test and 16 train. A share above 0 gets at least one image, if train keeps one.
        """
        if self.val_share + self.test_share >= 1:
            held = self.val_share + self.test_share
            takes = "a sum below 1, so that some photos are left for train"
            raise RecipeError(f"is {held:g}", key="data.val_share + data.test_share", value=held, takes=takes)
        ids = sorted(image_ids, key=lambda text: (blake2b(text.encode("utf-8", "replace")).digest(), text))
        if self.split is not None:
            return dict.fromkeys(ids, self.split)
        val = _part(self.val_share, len(ids), len(ids) - 1)
        test = _part(self.test_share, len(ids), len(ids) - val - 1)
        split_of = ["val"] * val + ["test"] * test + ["train"] * (len(ids) - val - test)
        return dict(zip(ids, split_of, strict=True))

    @property
    def note(self) -> str:
        if self.split is not None:
            return f"all in {self.split}"
        held = f"{self.val_share:.0%} for val and {self.test_share:.0%} for test"
        return f"it has no splits, so {held} by digests of the ids"


def _part(share: float, count: int, most: int) -> int:
    return max(min(max(round(share * count), 1), most), 0) if share else 0


def is_file(path: Path) -> bool:
    """Whether the path is a file. False if its folder may not be searched."""
    return os.path.isfile(path)  # noqa: PTH113  `Path.is_file` raises PermissionError for such a folder


def by_split(root: Path, pattern: str) -> Files:
    """The existing files of a pattern such as `annotations/captions_{split}2017.json`, one per split."""
    files: Files = {}
    for word, split in SPLITS.items():
        path = root / pattern.replace(HOLDER, word)
        if is_file(path):
            files.setdefault(split, path)
    return files


def first_by_split(root: Path, patterns: Iterable[str]) -> Files:
    """The files of the first pattern that has any."""
    return next((files for pattern in patterns if (files := by_split(root, pattern))), {})


def named_files(root: Path, file: str) -> Files:
    """The files of `data.file`: one file for all splits (key None), or one per split if it contains `{split}`."""
    if HOLDER not in file:
        if not (root / file).is_file():
            advice = "data.file is a path relative to data.root"
            raise InputError(
                f"is {file!r}, but there is no file {root / file}", key="data.file", value=file, advice=advice
            )
        return {None: root / file}
    files = by_split(root, file)
    if not files:
        advice = f"data.file is a path relative to data.root, with {HOLDER} for one of {', '.join(SPLITS)}"
        raise InputError(
            f"is {file!r}, but there are no files {root / file}", key="data.file", value=file, advice=advice
        )
    return files


def split_in(name: str) -> str | None:
    """The split in the name of a file or folder: the first word that spells one.

    >>> split_in("cc-train-0001.tar"), split_in("trainer.tar"), split_in("val2017")
    ('train', None, 'val')
    """
    words = "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()
    return next((SPLITS[word] for word in words if word in SPLITS), None)
