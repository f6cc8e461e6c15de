"""What a config names -> the class of its model, and the section `data` of Showtell's recipe for its photos."""

import csv
from importlib import import_module
from pathlib import Path

from showtell.plumbing.errors import RecipeError

MODELS = [f"model_{number}" for number in range(1, 7)]


def model_of(name: str) -> type:
    """The class of models/NAME.py."""
    if name not in MODELS:
        raise RecipeError(key="model.name", value=name, takes=MODELS)
    return import_module(f"models.{name}").Model


def data_of(split: str, images_folder_path: str, captions_file_path: str, **_: object) -> dict:
    """The section `data` of one split; its first column is the photo, its second the caption."""
    captions = Path(captions_file_path).resolve()
    with captions.open(encoding="utf-8-sig", newline="") as file:
        photo, caption = next(csv.reader(file))[:2]
    places = {"root": str(captions.parent), "file": captions.name, "images": str(Path(images_folder_path).resolve())}
    return {"name": "csv", "split": split, "photo_column": photo, "caption_column": caption, "delimiter": ","} | places
