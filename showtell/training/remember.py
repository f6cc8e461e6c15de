"""A recipe whose captioner takes no steps -> its run folder: the training photos' features and captions, kept."""

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
    """Build the captioner of a checked recipe into the folder `run`; the model is written last, so it is all or none.

    Raises InputError if `run` exists and `resume` is False.
    """
    say = partial(print_line, console)
    if recipe["captioner"]["name"] == "ensemble":
        raise RecipeError("captioner 'ensemble' is made of runs, not trained: showtell ensemble RUN RUN --run FOLDER")
    if resume and (run / checkpoint.MODEL).exists():
        check_same(recipe, run)
        say(f"{run} is finished, as captioner {recipe['captioner']['name']!r} takes no steps: nothing to resume")
        return run
    open_run(recipe, run, resume, say)
    settings = Train(**options(recipe, "train"))
    torch.manual_seed(settings.seed)  # an encoder may be drawn at random
    captioner = Nearest(build_encoder(recipe), build(recipe, "captioner"), recipe).to(device_of(settings.device))
    everything = build(recipe, "data")
    for line in notes(everything):
        say(line)
    records = [record for record in everything if record.references and record.split == "train"]
    if not records:
        raise InputError(f"data.name={recipe['data']['name']} has no captioned training photos; {run} needs some")
    captioner.fit(open_source(records, captioner.encoder, console=console, what="training photo"), console)
    for k, value in captioner.neighbours.tried.items():
        chosen = " <- chosen" if k == captioner.neighbours.k else ""
        say(f"k={k}: CIDEr-D {value:.3f} on training photos held out{chosen}")
    claim(run, lock)
    captioner.save_files(run)
    return run
