"""A run of which something was lost, changed or mixed up is refused in a line that names it."""

import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from showtell import checkpoint
from showtell.plumbing.errors import InputError
from showtell.training.job import Job
from showtell.training.resume import Where
from tests.small import train_small
from tests.training.killed import ACCUMULATED, damaged


@pytest.mark.parametrize("lost", [["last"], ["last", "metrics.jsonl"]], ids=["the checkpoint", "and the log"])
def test_a_model_without_a_checkpoint_is_never_trained_over(tmp_path, frozen_run, lost):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    for name in lost:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(InputError) as error:
        train_small(run, *ACCUMULATED, resume=True)
    assert error.value.key == str(run)
    assert "no checkpoint to resume" in str(error.value) and "another folder with --run" in str(error.value)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


DAMAGES = {
    "is damaged: it has no 'data'": lambda state: state.pop("data"),
    "is damaged: it has no 'step'": lambda state: state.pop("step"),
    "is damaged, or from another version of Showtell: 'stepp' is unknown": lambda state: state.update(stepp=3),
    "is damaged: step is 'three'": lambda state: state.update(step="three"),
    "is damaged: epoch is -1": lambda state: state.update(epoch=-1),
    "is damaged: it says epoch 9, but the recipe ends at 2": lambda state: state.update(epoch=9),
    "is damaged: its steps and epochs do not fit together": lambda state: state.update(best_step=9),
    "is damaged: it says that training finished at step 8, which": lambda state: state.update(epoch=1),
    "is damaged: best is nan": lambda state: state.update(best=float("nan")),
    "is damaged: best is -inf": lambda state: state.update(best=float("-inf")),
    "is damaged: seconds is -1.0": lambda state: state.update(seconds=-1.0),
    "is damaged: seconds is inf": lambda state: state.update(seconds=float("inf")),
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 10**9},
        {"step": 7, "step_in_epoch": 4, "best_step": 4},  # an epoch has four, so there is no fifth
        {"step": 6, "step_in_epoch": 0, "best_step": 4, "epoch": 0},
    ],
)
def test_a_step_that_the_training_does_not_have_is_told(tmp_path, frozen_run, wrong):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    damaged(run, lambda state: state.update({"epoch": 1, "finished": False} | wrong))
    with pytest.raises(InputError, match=r"state\.json is damaged: it says step \d+ after .*train again into another"):
        train_small(run, *ACCUMULATED, resume=True)


def test_epochs_that_differ_by_some_steps_are_gone_on_with():
    """Packing captions by chance: of 30,000 photos with one to nine captions, epochs had 8,576 to 8,595 steps."""
    job = SimpleNamespace(plan=[None] * 8576, run=Path("run"))
    job_check = partial(Job._check_step, job)
    for epoch in range(1, 30):
        for steps in (8557, 8576, 8595):
            job_check(Where(step=steps * epoch + 8570, epoch=epoch, step_in_epoch=8570), 8595)


@pytest.mark.parametrize("key", ["step", "epoch", "best", "stale", "data", "finished", "files"])
def test_a_state_that_somebody_changed_is_told(tmp_path, frozen_run, key):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    damaged(run, lambda state: state.update({key: 10**9}), seal=False)
    with pytest.raises(InputError, match=r"state\.json is damaged.*train again into another folder with --run"):
        train_small(run, *ACCUMULATED, resume=True)


@pytest.mark.parametrize("name", ["model", "optimizer", "random"])
def test_files_of_two_checkpoints_are_told(tmp_path, frozen_run, name):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    path = run / "last" / f"{name}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}\.safetensors is damaged, missing, or from another checkpoint"):
        train_small(run, *ACCUMULATED, resume=True)


@pytest.mark.parametrize("told", DAMAGES)
def test_a_state_that_lacks_or_confuses_something_is_told(tmp_path, frozen_run, told):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    damaged(run, DAMAGES[told])
    with pytest.raises(InputError) as error:
        train_small(run, *ACCUMULATED, resume=True)
    assert str(error.value).startswith(f"{run}/last/state.json {told}")


@pytest.mark.parametrize("content", ["[]", "3", "null"])
def test_a_state_that_is_no_object_is_told(tmp_path, frozen_run, content):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    (run / "last" / "state.json").write_text(content)
    with pytest.raises(InputError, match=f"^{run}/last/state.json is damaged: it holds no JSON object; "):
        train_small(run, *ACCUMULATED, resume=True)


OTHER = "does not fit its recipe: its optimizer's"
TENSORS = {
    "last is damaged: it has no random.safetensors": ("random", None),
    "last is damaged: it has no optimizer.safetensors": ("optimizer", None),
    "last is damaged: random.safetensors is not the state of a generator": ("random", {"cpu": torch.zeros(3)}),
    f"last {OTHER} 0.exp_avg is (2,); it may be from another version of Showtell": (
        "optimizer",
        {"0.exp_avg": torch.ones(2)},
    ),
    f"last {OTHER} x is (2,); it may be from another version of Showtell": ("optimizer", {"x": torch.ones(2)}),
    "last is damaged: its optimizer lacks a moment of parameter 0": ("optimizer", {"0.step": torch.tensor(3.0)}),
}


@pytest.mark.parametrize("told", TENSORS)
def test_tensors_that_are_missing_or_do_not_fit_are_told(tmp_path, frozen_run, told):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    name, content = TENSORS[told]
    (run / "last" / f"{name}.safetensors").unlink()
    if content is not None:
        checkpoint.write_tensors(run / "last" / f"{name}.safetensors", content)
    damaged(run, lambda state: state.update(finished=False, step=7, epoch=1, step_in_epoch=3))
    with pytest.raises(InputError) as error:
        train_small(run, *ACCUMULATED, resume=True)
    assert str(error.value) == f"{run}/{told}"
