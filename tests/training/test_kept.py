"""`train.keep_every` keeps whole captioners of some epochs; `after_epoch` gets the job and the log's row of each."""

import io

import pytest
import torch
from rich.console import Console

import showtell
from showtell.training.loop import train
from tests.small import FROZEN, small_recipe, train_small


@pytest.mark.slow
def test_a_kept_epoch_is_a_captioner_and_the_last_one_has_the_last_weights(tmp_path):
    options = [*FROZEN, "train.keep_every=2", "train.epochs=4", "train.select=loss", "train.max_steps=40"]
    train_small(tmp_path / "run", *options)
    assert sorted(path.name for path in (tmp_path / "run" / "epochs").iterdir()) == ["2", "4"]
    kept = [showtell.load(tmp_path / "run" / "epochs" / name).decoder.state_dict() for name in ("2", "4")]
    assert any(not torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


@pytest.mark.slow
def test_a_resumed_run_keeps_the_same_epochs(tmp_path):
    train_small(tmp_path / "run", *FROZEN, "train.keep_every=1", "train.epochs=2")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "epochs").rglob("*.safetensors")}
    train_small(tmp_path / "run", *FROZEN, "train.keep_every=1", "train.epochs=2", resume=True)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run" / "epochs").rglob("*.safetensors")}


@pytest.mark.slow
def test_after_each_epoch_a_function_gets_the_job_and_its_row(tmp_path):
    calls = []
    quiet = Console(file=io.StringIO())
    train(small_recipe(*FROZEN), tmp_path / "run", console=quiet, after_epoch=lambda *call: calls.append(call))
    assert [(job.run, row["epoch"], "val_loss" in row) for job, row in calls] == [
        (tmp_path / "run", 1, True),
        (tmp_path / "run", 2, True),
    ]
