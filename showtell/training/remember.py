"""A recipe whose captioner needs no training steps -> its run folder.


`nearest` keeps the training photos' features and captions; `huggingface` keeps which model of others it is.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from showtell import checkpoint
from showtell.cache import open_source
from showtell.captioners.huggingface.captioner import HuggingFace
from showtell.captioners.nearest import Nearest
from showtell.data import notes
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import write_json
from showtell.plumbing.hub import HUB, place_of
from showtell.plumbing.lock import Lock
from showtell.plumbing.messages import say as print_line
from showtell.plumbing.origin import MADE, begun
from showtell.recipe.build import build, build_encoder
from showtell.recipe.fixed import Train
from showtell.recipe.tables import options
from showtell.settings.text import Recipe
from showtell.training.resume import check_same, claim, open_run


def remember(recipe: Recipe, run: Path, resume: bool, console: Console, lock: Lock) -> Path:
    """Build the captioner of a checked recipe into the folder `run`. Its last file makes the run complete.

    The model is written last: a folder with a model is complete. Raises InputError if `run` exists and `resume` is
    False.
    """
    say = partial(print_line, console)
    if recipe["captioner"]["name"] == HuggingFace.name:
        return _adopt(recipe, run, resume, say, lock)
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
    write_json(run / MADE, begun())
    captioner.save_files(run)
    return run


def _adopt(recipe: Recipe, run: Path, resume: bool, say: Callable[[str], None], lock: Lock) -> Path:
    """Load a model that others trained, and write a run that says which one, at which version."""
    if resume and (run / checkpoint.RECIPE).is_file():
        check_same(_fixed_as(recipe, checkpoint.read_recipe(run)), run)
        say(f"{run} is finished, as captioner {HuggingFace.name!r} trains nothing: nothing to resume")
        return run
    open_run(recipe, run, resume, say)
    captioner = HuggingFace.open_model(recipe)
    captioner.check_decoding()
    claim(run, lock)
    write_json(run / MADE, begun())
    captioner.save_pretrained(run)
    section = captioner.recipe["captioner"]
    version = f" at revision {section['revision']}" if section["revision"] else ""
    say(f"{run} captions with {section['model']}{version}; nothing was trained")
    return run


def _fixed_as(recipe: Recipe, saved: Recipe) -> Recipe:
    """The recipe with the place and the version that the run found for the same model, if none other is asked for."""
    asked, found = recipe["captioner"], saved.get("captioner", {})
    place = place_of(asked["model"])
    model = str(place.resolve()) if isinstance(place, Path) else f"{HUB}{place}"
    return recipe | {"captioner": asked | {"model": model, "revision": asked["revision"] or found.get("revision")}}
