"""Small data in the form of the courses, and a course's scripts as a student runs them: in another working folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

from showtell.data.scenes.scenes import scenes

COURSES = Path(__file__).parents[2] / "courses"
SMALL = {"images": 24, "val_images": 6, "test_images": 6, "size": 32}


def run(course: str, script: str, *words: str, at: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python courses/COURSE/SCRIPT WORDS` in the folder `at`."""
    own = {"PYTHONPATH": str(COURSES.parent), "OMP_NUM_THREADS": "1"} | environment
    line = [sys.executable, str(COURSES / course / script), *words]
    return subprocess.run(line, cwd=at, env=os.environ | own, capture_output=True, text=True)


def write_bern(root: Path) -> None:
    """`flickr8k/` of the Bern course, of drawn scenes. Captions end in ` .`."""
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "val": [], "test": []}
    for record in scenes(**SMALL):
        folder = root / ("test_examples" if record.split == "test" else f"{record.split}_images")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / record.path.name).symlink_to(record.path)
        rows[record.split] += [(record.path.name, f"{text} .") for text in record.references]
    places = {"train_captions.txt": "train", "vocabulary_captions.txt": "train", "val_captions.txt": "val"}
    for name, split in (places | {"test_examples/captions.txt": "test"}).items():
        with (root / name).open("w", newline="") as file:
            csv.writer(file).writerows([("image_name", "caption"), *rows[split]])


def write_karpathy(root: Path) -> Path:
    """A Karpathy JSON of drawn scenes, with `images/` beside it."""
    entries = []
    (root / "images").mkdir(parents=True)
    for record in scenes(**SMALL):
        (root / "images" / record.path.name).symlink_to(record.path)
        sentences = [{"raw": text, "tokens": text.split()} for text in record.references]
        entries.append({"filename": record.path.name, "split": record.split, "sentences": sentences})
    (root / "small.json").write_text(json.dumps({"images": entries, "dataset": "flickr8k"}))
    return root / "small.json"
