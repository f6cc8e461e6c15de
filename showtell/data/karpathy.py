"""Karpathy's `dataset_*.json` (Flickr8k, Flickr30k, COCO) -> records (arXiv:1412.2306).

`restval`, the part of COCO's validation photos that everybody trains on, counts as train. Photos are looked for where
the data sets as downloaded have them, with COCO's `filepath` as a folder more or without.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.clean import Row, to_records
from showtell.data.photos import existing_folder
from showtell.data.record import Records
from showtell.data.text import read_json
from showtell.plumbing.errors import InputError

HUGGING_FACES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json")  # beside its data sets, no captions


def karpathy(*, root: Path, file: str | None = None, images: str | None = None) -> Records:
    """Records in the file's order; image_id = `filename`. `file` and `images` are paths from `root`."""
    root = existing_folder(root)
    source = root / file if file is not None else _find_json(root)
    if not source.is_file():
        raise InputError(f"{source}: no such file; data.file is a path from data.root")
    content, note = read_json(source)
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{source.name}: no list 'images' with the photos and their captions, so not Karpathy's form")
    form = ", ".join(filter(None, [f"karpathy: {source.name}", note]))
    return to_records(root, _rows(source.name, entries), form=form, images=images)


def find_jsons(root: Path) -> list[Path]:
    """The files that are called as Karpathy's are."""
    return sorted(path for path in root.glob("dataset_*.json") if path.is_file() and path.name not in HUGGING_FACES)


def _find_json(root: Path) -> Path:
    found = find_jsons(root)
    if not found:
        raise InputError(f"{root}: no dataset_*.json in it; name the file with the captions: data.file=NAME.json")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InputError(f"{root}: {len(found)} caption files ({names}); choose one: data.file={found[0].name}")
    return found[0]


def _rows(source: str, entries: list[Any]) -> Iterator[Row]:
    for number, entry in enumerate(entries, start=1):
        entry = entry if isinstance(entry, dict) else {}
        name, sentences = entry.get("filename"), entry.get("sentences")
        captions = [_raw(sentence) for sentence in sentences] if isinstance(sentences, list) else []
        where = f"{source} entry {number}"
        split = entry.get("split")
        yield Row(name, name, captions, "" if split is None else split, where, entry.get("filepath", ""))


def _raw(sentence: Any) -> Any:
    """The caption of {"raw": ..}; what is something else stays as it is, and is left out as no text."""
    return sentence.get("raw") if isinstance(sentence, dict) else [sentence]
