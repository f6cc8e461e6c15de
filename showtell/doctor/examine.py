"""A recipe's data -> a Diagnosis: everything that the doctor measured. `findings.py` turns it into sentences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell.data.photos import at_home, photos_beside
from showtell.data.record import LeftOut, Record
from showtell.doctor.captions import Captions, read_captions
from showtell.doctor.copies import Copies, find_copies
from showtell.doctor.photos import Seen, see_all
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import NOT_FETCHED, is_link
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.settings.text import Recipe, load_recipe, override, packaged_recipes

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Diagnosis:
    """The raw results, without advice."""

    recipe: Recipe
    form: str
    records: Sequence[Record]
    left_out: Sequence[LeftOut]  # rows that the data format skipped
    unreadable: Sequence[LeftOut]  # photos that cannot be read
    beside: Sequence[Path]  # photos that no caption names
    odd: dict[str, list[str]]  # what is odd about photos that can be read -> their names
    copies: Sequence[Copies]
    not_compared: int  # similar pairs beyond the limit of close comparisons
    captions: Captions | None
    max_length: int | None  # decode.max_length; None for a captioner without it, such as `nearest`
    sizes: Counter[str] = field(default_factory=Counter)  # "500 x 375" -> photos

    @property
    def clean(self) -> bool:
        return not self.left_out and not self.unreadable and self.captions is not None

    def of(self, split: str) -> list[Record]:
        return [record for record in self.records if record.split == split]

    def held_out_copies(self, split: str) -> list[Record]:
        """The photos of `split` (val or test) that have a copy in train."""
        across = [copies for copies in self.copies if {"train", split} <= copies.splits]
        return [record for copies in across for record in copies.records if record.split == split]


def read_words(recipe_or_folder: str, overrides: Sequence[str] = ()) -> Recipe:
    """The checked recipe. A folder becomes a recipe with `data=auto`, which detects the folder's format."""
    folder = at_home(recipe_or_folder)
    if recipe_or_folder not in packaged_recipes() and folder.is_dir():
        recipe = override({"data": {"name": "auto"}}, overrides)
        recipe["data"].setdefault("root", str(folder))  # an override such as data=karpathy dropped the root
        return check(recipe)
    if not Path(recipe_or_folder).exists() and ("/" in recipe_or_folder or "\\" in recipe_or_folder):
        advice = NOT_FETCHED if is_link(recipe_or_folder) else "check the path"
        raise InputError(f"{recipe_or_folder}: no such folder or recipe file; {advice}")
    return check(load_recipe(recipe_or_folder, overrides))


def examine(recipe: Recipe, console: Console | None = None) -> Diagnosis:
    """Read the data of a checked recipe and examine every photo and every caption."""
    records = build(recipe, "data")
    seen, unreadable = see_all(records, console)
    copies, not_compared = find_copies(seen, console)
    left_out = getattr(records, "left_out", ())
    return Diagnosis(
        recipe=recipe,
        form=getattr(records, "form", "") or recipe["data"]["name"],
        records=list(records),
        left_out=left_out,
        unreadable=unreadable,
        beside=_beside(records, left_out) if any(record.references for record in records) else (),
        odd=_odd(seen),
        copies=copies,
        not_compared=not_compared,
        captions=read_captions(records),
        max_length=recipe.get("decode", {}).get("max_length"),
        sizes=Counter(f"{photo.size[0]:,} x {photo.size[1]:,}" for photo in seen),
    )


def _beside(records: Sequence[Record], left_out: Sequence[LeftOut]) -> list[Path]:
    """Photos in the same folders that no caption names, except those that the report already lists as skipped."""
    skipped = {Path(name).name for name, _ in left_out}
    return [path for path in photos_beside(records) if path.name not in skipped]


def _odd(seen: Sequence[Seen]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for photo in seen:
        for what in photo.odd:
            names.setdefault(what, []).append(photo.record.image_id)
    return dict(sorted(names.items(), key=lambda item: -len(item[1])))


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis for JSON, with complete lists."""
    captions = diagnosis.captions
    return {
        "data": {
            "form": diagnosis.form,
            "options": diagnosis.recipe["data"],
            "photos": {split: len(diagnosis.of(split)) for split in SPLITS},
            "captions": {split: sum(len(record.references) for record in diagnosis.of(split)) for split in SPLITS},
        },
        "photos": {
            "left_out": [row._asdict() for row in diagnosis.left_out],
            "unreadable": [row._asdict() for row in diagnosis.unreadable],
            "without_captions": [str(path) for path in diagnosis.beside],
            "odd": diagnosis.odd,
            "sizes": dict(diagnosis.sizes.most_common()),
        },
        "copies": [
            {
                "kind": copies.kind,
                "across_splits": len(copies.splits) > 1,
                "photos": [{"image_id": r.image_id, "split": r.split, "path": str(r.path)} for r in copies.records],
            }
            for copies in diagnosis.copies
        ],
        "captions": captions
        and {
            "per_photo": captions.per_photo._asdict(),
            "words": captions.words._asdict(),
            "lengths": captions.lengths,
            "repeated_within_a_photo": captions.repeated,
            "seen_in_train": captions.seen_in_train,
            "odd": captions.odd,
            "scripts": captions.scripts,
        },
        "vocabulary": captions
        and {
            "suggested_min_count": captions.min_count,
            "at": [vocabulary._asdict() for vocabulary in captions.vocabularies],
        },
    }
