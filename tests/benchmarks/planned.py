"""A small plan of every kind of entry, and its runs on drawn scenes, made by the commands in this process."""

import shutil
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.results.plan import read_plan
from benchmarks.results.runs import runs_of
from benchmarks.results.work import missing
from showtell.cli import app
from tests.small import write_karpathy

PLAN = """
split: val
recipes:
  bern-1: [decoder.dim=16, encoder.image_size=32, encoder.grid_size=4, encoder.width=8, encoder.dim=24]
  longer: {start: bern-1, overrides: [train.max_steps=3], seeds: [2]}
  wider: {decoded: bern-1, overrides: [decode=beam, decode.num_beams=2]}
  both: {ensemble: bern-1}
  both-flipped: {decoded: both, overrides: [captioner.views=flip]}
  nearest: [encoder.image_size=64]
datasets:
  small:
    title: Small
    seeds: [1, 2]
    overrides: [train.max_steps=2, tokenizer.min_count=1, decode=greedy]
    of:
      longer: [train.max_steps=1]
  other: {title: Other, recipes: [bern-1, nearest], seeds: [0]}
effects:
  beams: {title: Two beams, datasets: [small], of: [bern-1, wider]}
"""


def planned_runs(folder, root=None):
    return runs_of(read_plan(folder / "plan.yaml"), "small", str(root or folder / "small"), folder / "runs")


def make_planned(folder: Path):
    """Data, plan and all runs of it, as the commands make them but in one process."""
    write_karpathy(folder / "small")
    (folder / "plan.yaml").write_text(PLAN)
    for run in planned_runs(folder):
        for words in missing(run):
            result = CliRunner().invoke(app, words, catch_exceptions=False)
            assert result.exit_code == 0, result.output
    return folder


def copied(made: Path, folder: Path) -> Path:
    """A copy that may be changed; its runs say that their data lie in the copy."""
    shutil.copytree(made, folder)
    for path in folder.glob("runs/**/recipe.yaml"):
        path.write_text(path.read_text().replace(str(made), str(folder)))
    return folder
