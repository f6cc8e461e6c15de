"""Karpathy's `dataset_*.json` for Flickr8k, Flickr30k and COCO (arXiv:1412.2306) -> records.

The split `restval` (COCO validation photos that papers use for training) counts as train. Photos are searched in the
usual folders of the downloaded sets, with and without COCO's `filepath` as a subfolder.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from showtell.data.clean import Row, to_records
from showtell.data.photos import existing_folder
from showtell.data.record import Records
from showtell.data.text import read_json
from showtell.plumbing.errors import InputError

HUGGING_FACES = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json")  # Hugging Face's files, no captions


def karpathy(*, root: Path, file: str | None = None, images: str | None = None) -> Records:
    """Records in the order of the file; image_id = `filename`. `file` and `images` are relative to `root`."""
    root = existing_folder(root)
    source = root / file if file is not None else _find_json(root)
    if not source.is_file():
        advice = "data.file is a path relative to data.root"
        raise InputError(f"is {file!r}, but there is no file {source}", key="data.file", value=file, advice=advice)
    content, note = read_json(source)
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{source.name}: it has no list 'images' with entries, so it is not in Karpathy's format")
    form = ", ".join(filter(None, [f"karpathy: {source.name}", note]))
    return to_records(root, _rows(source.name, entries), form=form, images=images)


def find_jsons(root: Path) -> list[Path]:
    """The files with Karpathy's names."""
    return sorted(path for path in root.glob("dataset_*.json") if path.is_file() and path.name not in HUGGING_FACES)


def _find_json(root: Path) -> Path:
    jsons = find_jsons(root)
    if not jsons:
        raise InputError(f"{root}: it has no dataset_*.json; set the captions file with data.file=NAME.json")
    if len(jsons) > 1:
        names = ", ".join(path.name for path in jsons)
        raise InputError(f"{root}: it has {len(jsons)} captions files ({names}); choose one: data.file={jsons[0].name}")
    return jsons[0]


def _rows(source: str, entries: list[Any]) -> Iterator[Row]:
    for number, entry in enumerate(entries, start=1):
        entry = entry if isinstance(entry, dict) else {}
        name, sentences = entry.get("filename"), entry.get("sentences")
        captions = [_raw(sentence) for sentence in sentences] if isinstance(sentences, list) else []
        where = f"{source} entry {number}"
        split = entry.get("split")
        yield Row(name, name, captions, "" if split is None else split, where, entry.get("filepath", ""))


def _raw(sentence: Any) -> Any:
    """The caption of {"raw": caption}. Anything else becomes a list, which `clean` skips as not text."""
    return sentence.get("raw") if isinstance(sentence, dict) else [sentence]
