"""A captioned set -> photos in folders by their class, for `showtell classify FOLDER --labels folders`.

`python -m benchmarks.labelled ucm ROOT OUT`: the 21 classes of UC Merced, of which file n is number (n - 1) // 100 in
the alphabet. `python -m benchmarks.labelled words ROOT OUT [KEY=VALUE ..]`: a photo whose captions name exactly one of
WORDS, alone or with s. Both take the validation split.
"""

import re
import shutil
import sys
from pathlib import Path

from showtell.data import DATA, Record
from showtell.settings.text import override

UCM = [
    "agricultural",
    "airplane",
    "baseball_diamond",
    "beach",
    "buildings",
    "chaparral",
    "dense_residential",
    "forest",
    "freeway",
    "golf_course",
    "harbor",
    "intersection",
    "medium_residential",
    "mobile_home_park",
    "overpass",
    "parking_lot",
    "river",
    "runway",
    "sparse_residential",
    "storage_tanks",
    "tennis_court",
]
WORDS = [
    "airplane",
    "boat",
    "bus",
    "cat",
    "clock",
    "dog",
    "elephant",
    "giraffe",
    "horse",
    "pizza",
    "toilet",
    "train",
    "zebra",
]


def of_ucm(record: Record) -> str | None:
    return UCM[(int(record.path.stem) - 1) // 100]


def of_words(record: Record) -> str | None:
    said = set(re.findall(r"[a-z]+", " ".join(record.references).lower()))
    named = [word for word in WORDS if {word, f"{word}s"} & said]
    return named[0] if len(named) == 1 else None


def main(kind: str, root: str, out: str, *overrides: str) -> None:
    settings = override({}, [f"data.{item}" for item in overrides]).get("data", {})
    for record in DATA["auto"](root=Path(root), **settings):
        label = {"ucm": of_ucm, "words": of_words}[kind](record) if record.split == "val" else None
        if label is not None:
            (Path(out) / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(record.path, Path(out) / label)


if __name__ == "__main__":
    main(*sys.argv[1:])
