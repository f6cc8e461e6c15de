"""A real training, so small that a step takes some milliseconds: 24 drawn scenes, eight steps an epoch."""

import io
import json
import shutil
from pathlib import Path

from rich.console import Console

from showtell.data.scenes.scenes import scenes
from showtell.recipe.check import check
from showtell.settings.text import Recipe, override
from showtell.training.loop import train

RECIPE: Recipe = {
    "data": {"name": "scenes", "images": 24, "val_images": 6, "test_images": 6, "size": 32},
    "encoder": {"name": "cnn", "image_size": 32, "grid_size": 4, "width": 8, "dim": 24},
    "tokenizer": {"name": "words", "min_count": 1},
    "decoder": {"name": "transformer", "dim": 16, "layers": 1, "heads": 2, "mlp_dim": 20},
    "decode": {"name": "beam", "num_beams": 2, "max_length": 12},
    "train": {"epochs": 2, "batch_size": 19, "warmup_steps": 4, "lr": 0.01, "save_every": 5},
}
FROZEN = ["encoder=lite", "encoder.image_size=64"]


def small_recipe(*overrides: str) -> Recipe:
    return check(override(RECIPE, overrides))


def train_small(run: Path, *overrides: str, resume: bool = False) -> str:
    """What training into `run` says."""
    said = io.StringIO()
    train(small_recipe(*overrides), run, resume, Console(file=said, width=80))
    return said.getvalue()


def write_karpathy(root: Path) -> list[str]:
    """Six of the scenes as a Karpathy data set, four to train on and two to validate; the overrides that choose it."""
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    records = scenes(**settings)
    chosen = [r for r in records if r.split == "train"][:4] + [r for r in records if r.split == "val"][:2]
    (root / "images").mkdir(parents=True)
    for record in chosen:
        shutil.copy(record.path, root / "images")
    images = [
        {"filename": r.image_id, "split": r.split, "sentences": [{"raw": text} for text in r.references]}
        for r in chosen
    ]
    (root / "dataset_small.json").write_text(json.dumps({"images": images}))
    return ["data=karpathy", f"data.root={root}"]


def write_folder(root: Path) -> list[str]:
    """Four of the scenes with captions that name no direction, as an image folder; the overrides that choose it."""
    root.mkdir(parents=True)
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    chosen = [record for record in scenes(**settings) if record.split == "train"][:4]
    for record in chosen:
        shutil.copy(record.path, root)
    lines = [json.dumps({"file_name": r.path.name, "text": f"a scene of {n} things"}) for n, r in enumerate(chosen)]
    (root / "metadata.jsonl").write_text("\n".join(lines))
    return ["data=folder", f"data.root={root}", "data.split=train"]
