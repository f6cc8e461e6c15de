"""Small scored runs on the same scenes: two trainings, greedy captions of the first, and captions by a person."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from showtell.checkpoint import read_recipe
from showtell.plumbing.files import write_json
from showtell.recipe.build import build
from showtell.report.runs.looks import look_at_middle
from showtell.report.runs.read import read_runs
from showtell.scoring.evaluate import evaluate_run


class Scored(NamedTuple):
    frozen: Path
    trained: Path
    greedy: Path
    human: Path  # without weights: each photo's first reference

    @property
    def all(self) -> list[Path]:
        return list(self)


@pytest.fixture(scope="session")
def scored(frozen_run, cnn_run, tmp_path_factory):
    """Not to be changed."""
    home = tmp_path_factory.mktemp("scored")
    folders = Scored(home / "frozen", home / "trained", home / "greedy", home / "human")
    for run, folder in ((frozen_run, folders.frozen), (cnn_run, folders.trained)):
        shutil.copytree(run, folder)
        evaluate_run(folder, "val")
    evaluate_run(folders.frozen, "val", ["decode=greedy", "decode.max_length=5"], out=folders.greedy)
    folders.human.mkdir()
    shutil.copy(folders.frozen / "recipe.yaml", folders.human)
    records = build(read_recipe(folders.frozen), "data")
    first = {record.image_id: record.references[0] for record in records if record.split == "val"}
    write_json(folders.human / "captions-val.json", first)
    return folders


@pytest.fixture(scope="session")
def found(scored):
    return read_runs(scored.all, resamples=200)


@pytest.fixture(scope="session")
def looks(found):
    return look_at_middle(found, None)
