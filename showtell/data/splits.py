"""Which photos train, validate and test: how files and folders spell it, and what holds where nothing says so."""

import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple

from showtell.plumbing.errors import InputError, RecipeError

Split = Literal["train", "val", "test"]
SPELLED = {  # how names of files and folders have it; `restval` is the part of COCO's validation that all train on
    "train": ("train", "training", "restval"),
    "val": ("val", "validation", "valid", "dev"),
    "test": ("test", "testing"),
}
SPLITS = {word: split for split, words in SPELLED.items() for word in words}
Files = dict[str | None, Path]  # by split, or all under None
HOLDER = "{split}"  # stands in names for any of those words


class Division(NamedTuple):
    """For sets that say no split: all in one, or shares held out for validation and test."""

    split: Split | None = None
    val_share: float = 0.1
    test_share: float = 0.1

    def of(self, image_ids: Iterable[str]) -> dict[str, str]:
        """The split of each image: those whose ids have the smallest digests are held out, one at least of each.

        So it depends on the ids alone: not on their order, nor on chance, nor on the machine.
        """
        if self.val_share + self.test_share >= 1:
            held = self.val_share + self.test_share
            raise RecipeError(f"data.val_share + data.test_share is {held:g}; it must be below 1: some must train")
        ids = sorted(image_ids, key=lambda text: (blake2b(text.encode("utf-8", "replace")).digest(), text))
        if self.split is not None:
            return dict.fromkeys(ids, self.split)
        val = _part(self.val_share, len(ids), len(ids) - 1)
        test = _part(self.test_share, len(ids), len(ids) - val - 1)
        split_of = ["val"] * val + ["test"] * test + ["train"] * (len(ids) - val - test)
        return dict(zip(ids, split_of, strict=True))

    @property
    def told(self) -> str:
        if self.split is not None:
            return f"all of it {self.split}"
        held = f"{self.val_share:.0%} for val and {self.test_share:.0%} for test"
        return f"no split in it, so {held} by a digest of the ids"


def _part(share: float, count: int, most: int) -> int:
    return max(min(max(round(share * count), 1), most), 0) if share else 0


def is_file(path: Path) -> bool:
    """Whether it is one; in a folder that may not be searched there is none."""
    return os.path.isfile(path)  # noqa: PTH113  `Path.is_file` raises there


def by_split(root: Path, pattern: str) -> Files:
    """The files that a pattern such as `annotations/captions_{split}2017.json` names, one a split."""
    found: Files = {}
    for word, split in SPLITS.items():
        path = root / pattern.replace(HOLDER, word)
        if is_file(path):
            found.setdefault(split, path)
    return found


def first_by_split(root: Path, patterns: Iterable[str]) -> Files:
    """The files of the first pattern that names any."""
    return next((found for pattern in patterns if (found := by_split(root, pattern))), {})


def named_files(root: Path, file: str) -> Files:
    """What `data.file` names: one file, whose split is None, or with {split} in it one a split."""
    if HOLDER not in file:
        if not (root / file).is_file():
            raise InputError(f"{root / file}: no such file; data.file is a path from data.root")
        return {None: root / file}
    found = by_split(root, file)
    if not found:
        words = ", ".join(SPLITS)
        raise InputError(f"{root / file}: no such files; data.file is a path from data.root, {HOLDER} one of {words}")
    return found


def split_in(name: str) -> str | None:
    """The split that a file's or folder's name says: `coco_val2017-000003` -> val.

    >>> split_in("cc-train-0001.tar"), split_in("trainer.tar"), split_in("val2017")
    ('train', None, 'val')
    """
    words = "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()
    return next((SPLITS[word] for word in words if word in SPLITS), None)
