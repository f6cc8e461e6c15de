"""A recipe's data -> a diagnosis: what was found, and from that sections of findings and a list of what to do.

Terminal, page and JSON all show the same sections.
"""

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
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.settings.text import Recipe, load_recipe, override, packaged_recipes

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found; nothing in it has been judged yet."""

    recipe: Recipe
    form: str
    records: Sequence[Record]
    left_out: Sequence[LeftOut]  # by the format
    unreadable: Sequence[LeftOut]
    beside: Sequence[Path]  # photos that no caption names
    odd: dict[str, list[str]]  # what is odd about photos that can be read -> their names
    copies: Sequence[Copies]
    not_compared: int  # alike pairs that were too many to look at
    captions: Captions | None
    max_length: int | None  # of `decode`, which a captioner that says captions as they are lacks
    sizes: Counter[str] = field(default_factory=Counter)  # "500 x 375" -> photos

    @property
    def clean(self) -> bool:
        return not self.left_out and not self.unreadable

    def of(self, split: str) -> list[Record]:
        return [record for record in self.records if record.split == split]

    def held_out_copies(self, split: str) -> list[Record]:
        """The photos of val or test of which training has a copy."""
        across = [copies for copies in self.copies if {"train", split} <= copies.splits]
        return [record for copies in across for record in copies.records if record.split == split]


def read_words(recipe_or_folder: str, overrides: Sequence[str] = ()) -> Recipe:
    """The checked recipe; for a folder one that takes it for what it is."""
    folder = at_home(recipe_or_folder)
    if recipe_or_folder not in packaged_recipes() and folder.is_dir():
        recipe = override({"data": {"name": "auto"}}, overrides)
        recipe["data"].setdefault("root", str(folder))  # whatever `data=` was named
        return check(recipe)
    if not Path(recipe_or_folder).exists() and ("/" in recipe_or_folder or "\\" in recipe_or_folder):
        raise InputError(f"{recipe_or_folder}: no such folder, and no recipe's file")
    return check(load_recipe(recipe_or_folder, overrides))


def examine(recipe: Recipe, console: Console | None = None) -> Diagnosis:
    """Read the data of a checked recipe, and look at every photo and every caption."""
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
    """Without those of which it is already said why they were left out."""
    told = {Path(name).name for name, _ in left_out}
    return [path for path in photos_beside(records) if path.name not in told]


def _odd(seen: Sequence[Seen]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for photo in seen:
        for what in photo.odd:
            found.setdefault(what, []).append(photo.record.image_id)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything, with nothing shortened."""
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
