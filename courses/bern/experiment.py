"""The course's config -> Showtell's recipe."""

from pathlib import Path

from photos import data_of
from report_utils.trained import model_of

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.weights import read_checkpoint
from showtell.recipe.check import check
from showtell.settings.text import load_recipe, override, read_yaml

KEYS = ("model.name", "model.parameters", "optimizer.lr", "vocabulary.captions_file_path", "data.train", "data.val")
TRAIN = {"schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0, "select": "BLEU-4"}


def read_config(path: Path) -> dict:
    """The config. Raises RecipeError if it lacks something."""
    config = read_yaml(path.read_text("utf-8"))
    for keys in KEYS:
        inner = config
        for key in keys.split("."):
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is None:
            raise RecipeError(f"has no {keys}", key=str(path), advice="see configs/config_model_1.yaml")
    return config


def both(config: dict) -> dict:
    """The section `data` of the photos to train on and to validate, from where the config says that they are now."""
    return {"name": "join", "sets": [data_of(split, **config["data"][split]) for split in ("train", "val")]}


def begun(path: Path, words: list[str], **train: object) -> tuple[dict, dict]:
    """Showtell's recipe for a config, and the model's name and parameters with what `key=value` words changed."""
    config = read_config(path)
    parameters = config["model"]["parameters"]
    sections = model_of(config["model"]["name"]).sections(**parameters)
    size = config["data"]["train"].get("batch_size", 256)
    sections |= {"data": both(config), "loss": {"name": "cross_entropy", "label_smoothing": 0.0}}
    sections["tokenizer"] = {"name": "bern", "file": config["vocabulary"]["captions_file_path"]}
    sections["train"] = TRAIN | {"lr": config["optimizer"]["lr"], "batch_size": size} | train
    recipe = override(sections, words)
    changed = {key: value for key, value in recipe["decoder"].items() if sections["decoder"].get(key) != value}
    changed |= {section: recipe[section] for section in ("encoder", "decode") if recipe[section] != sections[section]}
    return check(recipe), {"name": config["model"]["name"], "parameters": parameters | changed}


def resumed(own: Path, folder: Path, more: int, words: list[str]) -> tuple[dict, dict]:
    """The recipe of Showtell's run with `more` epochs, and the model's name and parameters in the checkpoint."""
    if not (own / "recipe.yaml").is_file():
        raise InputError(f"needs {own}, which train.py leaves", key="--resume", advice="train without --resume")
    recipe = load_recipe(str(own / "recipe.yaml")) | {"data": both(read_config(folder / "config.yaml"))}
    recipe = override(recipe, words)
    recipe["train"]["epochs"] += more
    if not any(word.startswith("train.max_steps=") for word in words):
        recipe["train"]["max_steps"] = None  # of the training before; it would end this one before it began
    return check(recipe), read_checkpoint(folder / "model.pth.tar", "--resume")["model_config"]
