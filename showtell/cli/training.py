"""Commands that make runs: train, ensemble, features."""

from pathlib import Path
from typing import Annotated

import typer

from showtell.cli.words import Overrides, Recipe, err, out
from showtell.plumbing.errors import InputError
from showtell.plumbing.garbage import nothing_to_collect


def train(
    recipe: Recipe,
    overrides: Overrides = None,
    run: Annotated[Path | None, typer.Option(help="Folder for the run. By default runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
    other_world: Annotated[
        bool, typer.Option("--other-world", help="With --resume: allow another number of processes than before.")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option(metavar="1,2,3", help="Train one run for each seed, and print a table of all.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Runs of --seeds at the same time. By default one for each GPU.")
    ] = None,
) -> None:
    """Train a captioner from a recipe. Everything goes into one run folder."""
    with nothing_to_collect():
        from showtell.recipe.check import check
        from showtell.settings.text import load_recipe
        from showtell.training.loop import train as train_recipe
        from showtell.training.processes import joined
        from showtell.training.seeds import train_seeds

    folder = run or Path("runs") / Path(recipe).stem
    if seeds is not None:
        train_seeds(recipe, overrides or [], folder, seeds, jobs, resume, err, out)
        return
    if jobs is not None:
        raise InputError("needs --seeds", key="--jobs", value=jobs, advice="a single run is one job")
    with joined() as world:
        train_recipe(check(load_recipe(recipe, overrides or [])), folder, resume, err, other_world=other_world)
    if not world.main:
        return
    out.print(f"trained: {folder}; next: showtell evaluate {folder}, showtell caption PHOTO --model {folder}")


def ensemble(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Two or more run folders with the same tokenizer.")],
    run: Annotated[Path, typer.Option(help="Folder for the ensemble. It holds copies of the runs.")],
) -> None:
    """Combine trained runs: each word is chosen by the mean of their probabilities."""
    with nothing_to_collect():
        from showtell.training.together import make_ensemble

    make_ensemble(runs, run)
    out.print(f"written: {run}; next: showtell evaluate {run}, showtell caption PHOTO --model {run}")


def features(recipe: Recipe, overrides: Overrides = None) -> None:
    """Encode every photo of a recipe's data into the feature cache, without training."""
    with nothing_to_collect():
        import torch

        from showtell.cache import open_source, turned_encoders
        from showtell.data import notes
        from showtell.plumbing.device import device_of
        from showtell.recipe.build import build, build_encoder
        from showtell.recipe.check import check
        from showtell.settings.text import load_recipe

    checked = check(load_recipe(recipe, overrides or []))
    torch.manual_seed(checked["train"]["seed"])  # as `train` does, so that random encoder weights are the same
    records, encoder = build(checked, "data"), build_encoder(checked).to(device_of(checked["train"]["device"]))
    for line in notes(records):
        err.print(line, markup=False, soft_wrap=True)
    views = checked["train"].get("augment", "none")  # a captioner without training steps has no such option
    turned = turned_encoders(encoder, views, "train.augment")
    upright = open_source(records, encoder, console=err)
    training = [record for record in upright.records if record.split == "train" and record.references]
    for source in (upright, *(open_source(training, each, console=err) for each in turned if training)):
        for folder in source.folders:
            out.print(f"cached: {len(source):,} photos in {folder}", soft_wrap=True)
