"""COCO's captions JSON (arXiv:1504.00325) -> records.

It has two lists: `images` with {id, file_name}, and `annotations` with {image_id, caption}. Our image_id is str(id), as
in COCO's results files.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.clean import Row, to_records
from showtell.data.photos import existing_folder
from showtell.data.record import LeftOut, Records
from showtell.data.splits import Division, Files, Split, by_split, is_file, named_files
from showtell.data.text import read_json
from showtell.plumbing.errors import InputError
from showtell.settings.bounds import Share

FILES = (  # in this order; the first file whose photos exist is used
    *("annotations/captions_{split}2017.json", "annotations/captions_{split}2014.json"),
    *("captions_{split}2017.json", "captions_{split}2014.json"),
    *("annotations/captions_{split}.json", "captions_{split}.json", "{split}_captions.json"),
    *("{split}.json", "annotations/{split}.json", "{split}/_annotations.coco.json", "{split}/annotations.json"),
)
NAMED = re.compile("captions_|_captions|coco")  # such names are COCO's; train.json could have any format
SINGLE = ("captions.json", "annotations.json", "annotations/captions.json", "annotations/annotations.json")


class OtherForm(InputError):
    """A file with a possible COCO name, such as train.json, and other content."""


def coco(
    *,
    root: Path,
    file: str | None = None,
    images: str | None = None,
    split: Split | None = None,
    val_share: Share = 0.1,
    test_share: Share = 0.1,
) -> Records:
    """Records in the order of the files. `{split}` in `file` or `images` stands for the split's name."""
    root, division = existing_folder(root), Division(split, val_share, test_share)
    choices = [named_files(root, file)] if file is not None else find_files(root)
    if not choices:
        looked = ", ".join((*FILES, *SINGLE))
        raise InputError(f"{root}: it has no captions JSON; searched for {looked}; set data.file=NAME.json")
    refused: list[InputError] = []
    for files in choices:
        try:
            return _records(root, files, images, division)
        except InputError as error:
            refused.append(error)
    raise next((error for error in refused if not isinstance(error, OtherForm)), refused[0])


def find_files(root: Path) -> list[Files]:
    """Files that may be COCO's by their names, by split. Does not open them."""
    by_pattern = [by_split(root, pattern) for pattern in FILES]
    single: list[Files] = [{None: root / name} for name in SINGLE if is_file(root / name)]
    return [files for files in [*by_pattern, *single] if files]


def _records(root: Path, files: Files, images: str | None, division: Division) -> Records:
    rows: list[Row] = []
    notes = []
    left_out: list[LeftOut] = []
    others: list[OtherForm] = []
    for split, path in files.items():
        if len(files) > 1 and not path.stat().st_size:  # an empty file is a split without photos, as in CSV
            notes.append(f"{path.name} is empty")
            continue
        content, note = read_json(path)
        notes.append(note)
        try:
            rows += _rows(path.name, content, split, left_out)
        except OtherForm as error:
            others.append(error)
    if others:  # if another file is COCO's, this one is damaged
        raise others[0] if len(others) == len(files) else InputError(str(others[0]))
    names = ", ".join(path.name for path in files.values())
    form = ", ".join(filter(None, [f"coco: {names}", *notes]))
    return to_records(root, rows, form=form, images=images, division=division, left_out=left_out)


def _rows(source: str, content: Any, split: str | None, left_out: list[LeftOut]) -> Iterator[Row]:
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            error = InputError if NAMED.search(source) else OtherForm
            raise error(f"{source}: it has no list '{key}', so it is not in COCO's captions format")
    captions = _captions(source, content["annotations"], left_out)
    for number, entry in enumerate(content["images"], start=1):
        entry = entry if isinstance(entry, dict) else {}
        image_id = _key(entry.get("id"))
        # `pop`, so that an image that is listed twice does not get its captions twice.
        yield Row(image_id, entry.get("file_name"), captions.pop(image_id, []), split, f"{source} image {number}")
    named = {_key(entry.get("id")) for entry in content["images"] if isinstance(entry, dict)}
    left_out += [LeftOut(f"{source} image_id {key}", "caption without photo") for key in captions if key not in named]


def _captions(source: str, annotations: list[Any], left_out: list[LeftOut]) -> dict[str | None, list[Any]]:
    captions_of: dict[str | None, list[Any]] = {}
    for number, annotation in enumerate(annotations, start=1):
        image_id = _key(annotation.get("image_id")) if isinstance(annotation, dict) else None
        if image_id is None:
            left_out.append(LeftOut(f"{source} annotation {number}", "caption without photo"))
        else:
            captions_of.setdefault(image_id, []).append(annotation.get("caption"))
    return captions_of


def _key(value: Any) -> str | None:
    """An id as text. 7.0 becomes "7": pandas writes integer columns with gaps as floats."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
