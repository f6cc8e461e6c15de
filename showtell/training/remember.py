"""A recipe whose captioner needs no training steps (nearest neighbours) -> its run folder.

The captioner stores the features and captions of the training photos.
"""

from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from showtell import checkpoint
from showtell.cache import open_source
from showtell.captioners.nearest import Nearest
from showtell.data import notes
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.lock import Lock
from showtell.plumbing.messages import say as print_line
from showtell.recipe.build import build, build_encoder
from showtell.recipe.fixed import Train
from showtell.recipe.tables import options
from showtell.settings.text import Recipe
from showtell.training.resume import check_same, claim, open_run


def remember(recipe: Recipe, run: Path, resume: bool, console: Console, lock: Lock) -> Path:
    """Build the captioner of a checked recipe into the folder `run`.

    The model is written last: a folder with a model is complete. Raises InputError if `run` exists and `resume` is
    False.
    """
    say = partial(print_line, console)
    if recipe["captioner"]["name"] == "ensemble":
        raise RecipeError(
            "is 'ensemble', which is made of trained runs and cannot be trained",
            key="captioner",
            value="ensemble",
            advice="use `showtell ensemble RUN RUN --run FOLDER`",
        )
    if resume and (run / checkpoint.MODEL).exists():
        check_same(recipe, run)
        name = recipe["captioner"]["name"]
        say(f"{run} is finished: captioner {name!r} makes no steps, so there is nothing to resume")
        return run
    open_run(recipe, run, resume, say)
    settings = Train(**options(recipe, "train"))
    torch.manual_seed(settings.seed)  # an encoder may have random weights
    captioner = Nearest(build_encoder(recipe), build(recipe, "captioner"), recipe).to(device_of(settings.device))
    everything = build(recipe, "data")
    for line in notes(everything):
        say(line)
    records = [record for record in everything if record.references and record.split == "train"]
    if not records:
        raise InputError(
            f"is {recipe['data']['name']}, but the data has no captioned training photos",
            key="data.name",
            value=recipe["data"]["name"],
            advice="add captions of split train",
        )
    captioner.fit(open_source(records, captioner.encoder, console=console, what="training photo"), console)
    for k, value in captioner.neighbours.tried.items():
        chosen = " <- chosen" if k == captioner.neighbours.k else ""
        say(f"k={k}: CIDEr-D {value:.3f} on held-out training photos{chosen}")
    claim(run, lock)
    captioner.save_files(run)
    return run
