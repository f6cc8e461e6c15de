"""The commands and runs that the tests of captioner huggingface use, on the small drawn scenes."""

import io

from rich.console import Console
from typer.testing import CliRunner

from showtell.cli import app
from showtell.data.scenes.scenes import scenes
from showtell.recipe.check import check
from showtell.settings.text import load_recipe
from showtell.training.loop import train
from tests.small import RECIPE

SCENES = {name: value for name, value in RECIPE["data"].items() if name != "name"}
DATA = ["data=scenes", *(f"data.{name}={value}" for name, value in SCENES.items())]
FEW = ["decode.max_length=6", "evaluate.metrics=[CIDEr-D, BLEU-1]"]


def run_command(*words):
    return CliRunner().invoke(app, [*words], catch_exceptions=True)


def paths(split="val"):
    return [record.path for record in scenes(**SCENES) if record.split == split]


def made(run, *overrides, resume=False):
    """What `showtell train huggingface` says."""
    said = io.StringIO()
    recipe = check(load_recipe("huggingface", [*DATA, *overrides]))
    train(recipe, run, resume, Console(file=said, width=300))
    return said.getvalue()
