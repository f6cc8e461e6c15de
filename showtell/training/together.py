"""Trained runs -> one ensemble in a new folder."""

from collections.abc import Sequence
from pathlib import Path

from showtell import checkpoint
from showtell.captioners.ensemble import Ensemble, check_members
from showtell.captioners.neural import Neural
from showtell.loading import folder_of, load_folder
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import check_folder
from showtell.plumbing.half import made_whole
from showtell.recipe.check import check
from showtell.settings.text import Recipe

FROM_FIRST = ("data", "decode", "evaluate")  # sections that an ensemble copies from its first member (and its views)


def make_ensemble(runs: Sequence[str | Path], run: Path) -> Ensemble:
    """Copy trained captioners (run folders or ids of the Hub) into an ensemble in the folder `run`.

    Raises RecipeError if a run does not hold captioner 'neural'; InputError if `run` exists or the tokenizers differ.
    """
    if len(runs) < 2:
        raise InputError(f"an ensemble takes two runs or more; you gave {len(runs)}")
    if run.exists():
        raise InputError("exists", key=str(run), advice="choose another folder with --run")
    check_folder(run, "--run")
    folders = [folder_of(name) for name in runs]
    recipes = [check(checkpoint.read_recipe(folder)) for folder in folders]
    for recipe, folder in zip(recipes, folders, strict=True):
        if (name := recipe["captioner"]["name"]) != Neural.name:
            raise RecipeError(
                f"holds captioner {name!r}",
                key=str(folder),
                takes="runs of captioner 'neural'",
                taker="an ensemble takes",
            )
    check_members(folders)
    members = [member for folder in folders if isinstance(member := load_folder(folder), Neural)]
    ensemble = Ensemble(members, recipe_of(recipes[0], len(members)))
    try:
        with made_whole(run) as half:  # so that a kill blocks nothing
            ensemble.save_pretrained(half)
    except OSError as error:
        if run.exists():
            advice = "choose another folder with --run"
            raise InputError("was made by another process meanwhile", key=str(run), advice=advice) from None
        advice = "choose another folder with --run"
        raise InputError(f"cannot hold an ensemble: {error.strerror}", key=str(run), advice=advice) from None
    return ensemble


def recipe_of(first: Recipe, count: int) -> Recipe:
    """The recipe of an ensemble of `count` members, made from the recipe of the first."""
    members = [f"members/{number}" for number in range(1, count + 1)]
    captioner = {"name": Ensemble.name, "members": members, "views": first["captioner"]["views"]}
    sections = {section: first[section] for section in FROM_FIRST}
    return check({**sections, "captioner": captioner, "train": {"seed": first["train"]["seed"]}})
