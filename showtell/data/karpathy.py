"""Karpathy's `dataset_*.json` (Flickr8k, Flickr30k, COCO) -> records (arXiv:1412.2306).

`restval`, the part of COCO's validation photos that everybody trains on, counts as train. Photos are looked for where
the data sets as downloaded have them; whatever is wrong with an image is said with the image's name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.folder import existing_folder
from showtell.data.record import Record
from showtell.errors import InputError

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}
PHOTO_FOLDERS = (
    "images",
    "Images",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
    "flickr30k_images",
    "flickr30k-images",
    ".",
)

Entry = dict[str, Any]  # one element of the JSON's list `images`


def karpathy(*, root: Path, file: str | None = None, images: str | None = None) -> list[Record]:
    """Records in the file's order; image_id = `filename`. `file` and `images` are paths from `root`."""
    root = existing_folder(root)
    source = root / file if file is not None else _find_json(root)
    entries = _read(source)
    paths = _find_photos(root, entries, images)
    seen: set[str] = set()
    records = []
    for entry, path in zip(entries, paths, strict=True):
        name = entry["filename"]
        if name in seen:
            raise InputError(f"{source.name}: {name} stands there twice; each photo may have one entry")
        seen.add(name)
        records.append(Record(name, path, _references(source, entry), _split(source, entry)))
    return records


def _find_json(root: Path) -> Path:
    found = sorted(root.glob("dataset_*.json"))
    if not found:
        raise InputError(f"{root}: no dataset_*.json in it; name the file with the captions: data.file=NAME.json")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{root}: {len(found)} caption files ({names}); choose one: data.file={found[0].name}")
    return found[0]


def _read(source: Path) -> list[Entry]:
    if not source.is_file():
        raise InputError(f"{source}: no such file; data.file is a path from data.root")
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source.name}: not JSON ({error})") from error
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{source.name}: no list 'images' with the photos and their captions, so not Karpathy's form")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("filename"), str) or not entry["filename"]:
            raise InputError(f"{source.name}: entry {number} of 'images' has no 'filename'")
    return entries


def _references(source: Path, entry: Entry) -> tuple[str, ...]:
    sentences = entry.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise InputError(f"{source.name}: {entry['filename']} has no captions ('sentences')")
    captions = []
    for number, sentence in enumerate(sentences, start=1):
        caption = sentence.get("raw") if isinstance(sentence, dict) else None
        if not isinstance(caption, str) or not caption.strip():
            kind = "empty" if isinstance(caption, str) else "no text ('raw')"
            raise InputError(f"{source.name}: {entry['filename']}: caption {number} is {kind}")
        captions.append(caption.strip())
    return tuple(captions)


def _split(source: Path, entry: Entry) -> str:
    split = entry.get("split")
    if not isinstance(split, str) or split not in SPLITS:
        raise InputError(f"{source.name}: {entry['filename']}: split {split!r}; allowed are {', '.join(SPLITS)}")
    return SPLITS[split]


def _find_photos(root: Path, entries: list[Entry], images: str | None) -> list[Path]:
    """The path of each entry's photo: all in the folder `images`, or in the first usual folder that has any of them."""
    places = (
        [existing_folder(root / images, "data.images")]
        if images is not None
        else [root / name for name in PHOTO_FOLDERS]
    )
    for place in filter(Path.is_dir, places):
        for nested in (False, True):  # COCO's entries name a folder more, in 'filepath'
            paths = list(_paths(place, entries, nested))
            if any(path.is_file() for path in paths):
                missing = [path.name for path in paths if not path.is_file()]
                _refuse_missing(place, missing, len(entries))
                return paths
    names = [entry["filename"] for entry in entries]
    searched = images if images is not None else ", ".join(PHOTO_FOLDERS)
    raise InputError(
        f"{root}: none of the {len(names):,} photos is there (first: {names[0]}); looked in {searched}; "
        "name their folder: data.images=FOLDER"
    )


def _paths(place: Path, entries: list[Entry], nested: bool) -> Iterator[Path]:
    for entry in entries:
        inner = entry.get("filepath") if nested else None
        yield (place / inner if isinstance(inner, str) else place) / entry["filename"]


def _refuse_missing(place: Path, missing: list[str], count: int) -> None:
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise InputError(
            f"{len(missing):,} of {count:,} photos are missing in {place} ({first}); "
            "add them, or name another folder: data.images=FOLDER"
        )
