"""Trained runs -> one ensemble in a folder of its own."""

from collections.abc import Sequence
from pathlib import Path

from showtell import checkpoint
from showtell.captioners.ensemble import Ensemble, check_members
from showtell.captioners.neural import Neural
from showtell.loading import folder_of, load_folder
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.lock import Lock
from showtell.recipe.check import check
from showtell.settings.text import Recipe

FROM_FIRST = ("data", "decode", "evaluate")  # and the views: what a new ensemble's recipe takes from its first member


def make_ensemble(runs: Sequence[str | Path], run: Path) -> Ensemble:
    """Copy trained captioners, run folders or ids of the Hub, into an ensemble in the folder `run`.

    Raises InputError if `run` exists, a run is none of captioner 'neural', or their tokenizers differ.
    """
    if len(runs) < 2:
        raise InputError("an ensemble takes two runs or more")
    if run.exists():
        raise InputError(f"{run} exists; name another folder with --run")
    folders = [folder_of(name) for name in runs]
    recipes = [check(checkpoint.read_recipe(folder)) for folder in folders]
    for recipe, folder in zip(recipes, folders, strict=True):
        if (name := recipe["captioner"]["name"]) != Neural.name:
            raise RecipeError(f"{folder} holds captioner {name!r}; an ensemble takes runs of captioner 'neural'")
    check_members(folders)
    members = [member for folder in folders if isinstance(member := load_folder(folder), Neural)]
    ensemble = Ensemble(members, recipe_of(recipes[0], len(members)))
    try:
        run.mkdir(parents=True)
        with Lock(run) as lock:
            lock.take()
            ensemble.save_pretrained(run)
    except FileExistsError:
        raise InputError(f"{run} exists by now; name another folder with --run") from None
    except OSError as error:
        raise InputError(f"{run} cannot hold an ensemble: {error.strerror}; name another with --run") from None
    return ensemble


def recipe_of(first: Recipe, count: int) -> Recipe:
    """The recipe of an ensemble of so many members, by that of its first."""
    members = [f"members/{number}" for number in range(1, count + 1)]
    captioner = {"name": Ensemble.name, "members": members, "views": first["captioner"]["views"]}
    sections = {section: first[section] for section in FROM_FIRST}
    return check({**sections, "captioner": captioner, "train": {"seed": first["train"]["seed"]}})
