"""The photos that a config names -> the section `data` of Showtell's recipe."""

import csv
from pathlib import Path


def data_of(split: str, images_folder_path: str, captions_file_path: str, **_: object) -> dict:
    """The section `data` of one split; its first column is the photo, its second the caption."""
    captions = Path(captions_file_path).resolve()
    with captions.open(encoding="utf-8-sig", newline="") as file:
        photo, caption = next(csv.reader(file))[:2]
    places = {"root": str(captions.parent), "file": captions.name, "images": str(Path(images_folder_path).resolve())}
    return {"name": "csv", "split": split, "photo_column": photo, "caption_column": caption, "delimiter": ","} | places
