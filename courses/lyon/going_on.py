"""train.py --checkpoint: the same training for more epochs, or a next stage if a flag changes it.

Example: `train.py`, then `train.py --checkpoint BEST_checkpoint_NAME.pth.tar --fine_tune_encoder True`. The next stage
begins with the best weights, a new optimizer, and counts on from the epochs that are done.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

from options import recipe_of

from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.check import check
from showtell.settings.text import load_recipe


class Stage(NamedTuple):
    """A training in the folder `run`. `began` are the epochs of the stages before it."""

    recipe: dict
    run: Path
    resume: bool
    began: int


def next_stage(args: argparse.Namespace, usual: argparse.Namespace, content: dict) -> Stage:
    """`usual` are the flags' defaults: a flag that differs from them was given. `content` is the checkpoint's."""
    run, done, began = Path(args.checkpoint).parent / content["run"], content["epoch"] + 1, content["began"]
    if not (run / "recipe.yaml").is_file():
        raise InputError(f"needs {run}, which train.py leaves beside it", key="--checkpoint", advice="train without it")
    if args.epochs <= done:
        raise RecipeError(key="--epochs", value=args.epochs, takes=f"{done + 1} or more: {done} are done")
    old = load_recipe(str(run / "recipe.yaml"))
    new = _changed(old, recipe_of(args), recipe_of(usual))
    if new == old:
        epochs = {"epochs": args.epochs - began, "max_steps": None}
        return Stage(check(new | {"train": new["train"] | epochs}), run, True, began)
    stage = {"epochs": args.epochs - done, "start": str(run)}
    return Stage(check(new | {"train": new["train"] | stage}), Path(f"{run}+{done}"), False, done)


def _changed(old: dict, asked: dict, usual: dict) -> dict:
    """The old recipe with what the flags and words of this call say."""
    new = {section: dict(values) for section, values in old.items()}
    for section, values in asked.items():
        given = {key: value for key, value in values.items() if value != usual[section].get(key)}
        given.pop("epochs", None)
        if "name" in given and given["name"] != old[section]["name"]:
            new[section] = dict(values)
        else:
            new[section] |= given
    return check(new)
