"""Flickr8k and Flickr30k in their original files -> records; image_id = the photo's file name.

Reads `*.token.txt`, Kaggle's `captions.txt` and `results.csv`, and the Bern course's `train_captions.txt` with
`train_images/`. Most of these have no splits. If the official lists (`Flickr_8k.trainImages.txt` and so on) are in the
folder, they define the splits. Photos in no list are skipped, as in all papers.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from showtell.data.clean import Row, to_records
from showtell.data.photos import existing_folder, without_ending
from showtell.data.record import LeftOut, Records
from showtell.data.splits import HOLDER, Division, Files, Split, first_by_split, named_files
from showtell.data.table import read_table
from showtell.data.text import read_text
from showtell.plumbing.errors import InputError
from showtell.settings.bounds import Share

FOLDERS = ("", "Flickr8k_text/", "Flickr8k_text/Flickr8k_text/", "flickr30k_images/", "annotations/", "text/")
BERN = (f"{HOLDER}_captions.txt",)
EXAMPLES = "test_examples"  # five example photos of the Bern course, with their own captions file
CAPTIONS = ("Flickr8k.token.txt", "results_20130124.token", "*.token.txt", "*.token", "captions.txt", "results.csv")
LISTS = (f"Flickr_8k.{HOLDER}Images.txt", f"Flickr_30k.{HOLDER}Images.txt", f"{HOLDER}Images.txt", f"{HOLDER}.txt")
NUMBERED = re.compile(r"^[^\t\n]+#\d+\t", re.MULTILINE)
TOKEN = re.compile(r"^([^\t]+?)(?:#\d+)?\t(.*)$", re.DOTALL)


def flickr(
    *,
    root: Path,
    file: str | None = None,
    images: str | None = None,
    split: Split | None = None,
    val_share: Share = 0.1,
    test_share: Share = 0.1,
) -> Records:
    """Records in the order of the captions. `file` is relative to `root`; `{split}` in it means one file per split."""
    root = existing_folder(root)
    files = named_files(root, file) if file is not None else find_files(root)
    if not files:
        looked = ", ".join((*BERN, *CAPTIONS))
        raise InputError(f"{root}: it has no Flickr captions; searched for {looked}; set data.file=NAME")
    lists = find_lists(root) if None in files and split is None else {}
    rows: list[Row] = []
    notes = []
    for name, path in files.items():
        file_rows, note = _read(path, name)
        rows += file_rows
        notes.append(note)
    left_out: list[LeftOut] = []
    if lists:
        rows = list(_listed(rows, lists, left_out))
        notes.append(f"split by {', '.join(path.name for path in lists.values())}")
    form = ", ".join(filter(None, [f"flickr: {', '.join(path.name for path in files.values())}", *notes]))
    division = Division(split, val_share, test_share)
    return to_records(root, rows, form=form, images=images, division=division, left_out=left_out)


def find_files(root: Path) -> Files:
    """Bern's files, one per split. If there are none: the first file of CAPTIONS, which has all captions."""
    if files := first_by_split(root, BERN):
        if "test" not in files and (examples := _examples(root)):
            files["test"] = examples
        return files
    for pattern in CAPTIONS:
        for folder in FOLDERS:
            for path in sorted((root / folder).glob(pattern)):
                if path.is_file():
                    return {None: path}
    return {}


def find_lists(root: Path) -> Files:
    """The official split lists; each line names one photo."""
    return first_by_split(root, [folder + name for name in LISTS for folder in FOLDERS])


def _examples(root: Path) -> Path | None:
    files = [*(root / EXAMPLES).glob("*captions*.txt"), *(root / EXAMPLES).glob("*.csv")]
    return next((path for path in sorted(files) if path.is_file()), None)


def read_rows(path: Path) -> list[Row]:
    """The rows of one captions file, a table or Flickr's token file."""
    return _read(path, None)[0]


def _read(path: Path, split: str | None) -> tuple[list[Row], str]:
    text, note = read_text(path)
    if path.suffix == ".csv" or not NUMBERED.search(text):
        return read_table(path, split=split)
    return list(_token_rows(path.name, text, split)), note


def _token_rows(source: str, text: str, split: str | None) -> Iterator[Row]:
    """Rows of lines `name.jpg#0<TAB>caption`."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            match = TOKEN.match(line)
            name, caption = match.groups() if match else (None, None)
            yield Row(name, name, [caption], split, f"{source} line {number}")


def _listed(rows: list[Row], lists: Files, left_out: list[LeftOut]) -> Iterator[Row]:
    """The rows with their splits. A list may name a photo without `.jpg`."""
    split_of: dict[str, str | None] = {}
    for split, path in lists.items():
        for line in read_text(path)[0].splitlines():
            if line.strip():
                split_of.setdefault(line.strip(), split)
    left: dict[str, None] = {}
    seen = set()
    for row in rows:
        name = row.photo if isinstance(row.photo, str) else ""
        key = name if name in split_of else without_ending(name)
        if key in split_of or not name:
            seen.add(key)
            yield row._replace(split=split_of.get(key))
        else:
            left[name] = None
    left_out += [LeftOut(name, "in no split list") for name in left]
    left_out += [LeftOut(name, "no caption") for name in split_of if name not in seen]
