"""A run that is stopped anywhere and resumed equals the one that was not, bit for bit."""

import resource
import shutil
import signal
import time

import pytest
import torch

from showtell import checkpoint
from showtell.plumbing.errors import InputError, Interrupted
from showtell.training import loop as train
from showtell.training.log import read_log
from tests.small import FROZEN, train_small, write_folder
from tests.training.killed import (
    ACCUMULATED,
    FORKS,
    OWNERS,
    damaged,
    equal,
    killed,
    nth_call,
    saved_step,
    train_on_one_thread,
)

CNN = {  # moment of the kill -> the step that the run goes on from
    "before any checkpoint": ("Job.save", 1, None),
    "in the first epoch": ("Job.step", 4, 0),
    "in the middle of an epoch": ("Job.step", 8, 5),
    "between the best weights and their row": ("Log.write", 1, 5),
    "in the middle of writing a checkpoint": ("checkpoint.save_file", 9, 5),
    "between the two renames of a checkpoint": ("checkpoint._settle", 6, 10),
    "before the last step": ("Job.step", 16, 15),
    "before the last checkpoint": ("Job.save", 5, 15),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", list(CNN))
def test_a_run_killed_at_any_moment_goes_on_to_the_same_end(tmp_path, cnn_run, moment):
    point, nth, step = CNN[moment]
    killed(tmp_path / "run", [], point, nth)
    assert (tmp_path / "run" / "metrics.csv").exists() == bool(step)
    if step is None:
        with pytest.raises(InputError, match=r"run has no checkpoint.*without --resume"):
            train_small(tmp_path / "run", resume=True)
    said = train_small(tmp_path / "run", resume=step is not None)
    anew = f"{tmp_path / 'run'} was stopped before its first checkpoint: starting again\n"
    assert said.startswith(anew if step is None else f"resuming {tmp_path / 'run'} at step {step}\n")
    assert [row["step"] for row in read_log(tmp_path / "run") if "event" in row] == ([] if step is None else [step])
    assert equal(tmp_path / "run", cnn_run)


@pytest.mark.slow
@pytest.mark.parametrize(("save_every", "nth"), [(3, 6), (4, 7)], ids=["inside an epoch", "at an epoch's end"])
def test_a_frozen_run_with_accumulation_goes_on_to_the_same_end(tmp_path, save_every, nth):
    overrides = [*ACCUMULATED, f"train.save_every={save_every}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", nth)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [[], FROZEN], ids=["cnn", "frozen"])
def test_a_run_that_averages_its_weights_goes_on_to_the_same_end(tmp_path, overrides):
    overrides = [*overrides, "train.ema=0.9", "train.save_every=3", "train.max_steps=11"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 8)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_a_run_that_draws_how_its_photos_lie_goes_on_to_the_same_end(tmp_path):
    overrides = [*write_folder(tmp_path / "data"), *FROZEN, "train.augment=d4", "train.epochs=5", "train.save_every=3"]
    train_small(tmp_path / "whole", *overrides)
    train_small(tmp_path / "upright", *overrides, "train.augment=none")
    killed(tmp_path / "run", overrides, "Job.step", 5)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "upright")]
    assert weights[0] != weights[1]


def test_the_runs_that_are_compared_draw_at_random(cnn_run, frozen_run):
    for run in (cnn_run, frozen_run):
        decoder = checkpoint.read_recipe(run)["decoder"]
        assert decoder["dropout"] > 0 and decoder["feature_dropout"] > 0


@pytest.mark.slow
def test_a_run_killed_twice_from_outside_goes_on_to_the_same_end(tmp_path, cnn_run):
    """Whenever the kill comes, without any moment chosen."""
    run = tmp_path / "run"
    for resume, step in ((False, 5), (True, 10)):
        child = FORKS.Process(target=train_on_one_thread, args=(run, resume))
        child.start()
        while child.is_alive() and saved_step(run) < step:
            time.sleep(0.002)
        child.kill()
        child.join()
    train_small(run, resume=True)
    assert equal(run, cnn_run)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_leave_a_resumable_run(tmp_path, monkeypatch, cnn_run, number):
    run, before = tmp_path / "run", signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(train.Job, "step", train.Job.step)  # put back after
        nth_call(train.Job, "step", 7, lambda: signal.raise_signal(number))
        with pytest.raises(Interrupted, match=f"^stopped at step 7; .*{run} with --resume$"):
            train_small(run)
    assert signal.getsignal(number) is before
    assert (run / "metrics.csv").exists()
    assert train_small(run, resume=True).startswith(f"resuming {run} at step 7\n")
    assert equal(run, cnn_run)


@pytest.mark.slow
def test_ctrl_c_right_after_the_first_checkpoint_is_told_like_any(tmp_path, monkeypatch, cnn_run):
    """Before any step the folder holds a run already, so nobody may be told less than that it can go on."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train.Job, "save", train.Job.save)
        nth_call(train.Job, "save", 1, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(Interrupted, match=f"^stopped at step 1; .*{run} with --resume$"):
            train_small(run)
    train_small(run, resume=True)
    assert equal(run, cnn_run)


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(tmp_path, monkeypatch, cnn_run):
    monkeypatch.setattr(train.Job, "step", train.Job.step)
    nth_call(train.Job, "step", 7, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "run")
    monkeypatch.undo()
    train_small(tmp_path / "run", resume=True)
    assert equal(tmp_path / "run", cnn_run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "nth", "told"),
    [
        ("Job.save", 2, "{run} cannot hold a checkpoint: .*; the checkpoint before it is unchanged"),
        ("Job.validate", 1, "{run}/model.safetensors cannot be written: .*; the old file is unchanged"),
        ("Log.write", 1, "{run}/metrics.jsonl cannot be written: File too large; .* with --resume"),
    ],
)
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(tmp_path, monkeypatch, cnn_run, point, nth, told):
    owner, name = point.split(".")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(OWNERS[owner], name, getattr(OWNERS[owner], name))
    nth_call(OWNERS[owner], name, nth, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1])))
    try:
        with pytest.raises(InputError, match=f"^{told.format(run=tmp_path / 'run')}$"):
            train_small(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    monkeypatch.undo()
    assert train_small(tmp_path / "run", resume=True).startswith("resuming ")
    assert equal(tmp_path / "run", cnn_run)


@pytest.mark.slow
def test_starting_anew_drops_what_the_run_before_the_first_checkpoint_left(tmp_path, frozen_run):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("metrics.jsonl", "metrics.csv"):
        (run / name).write_text('{"step": 1}\n')
    (run / "tokenizer.model").write_text("of another recipe")
    (run / ".recipe.yaml.x.part").write_text("half")
    train_small(run, *ACCUMULATED)
    assert equal(run, frozen_run)


@pytest.mark.slow
def test_a_run_goes_on_on_another_machine(tmp_path, frozen_run):
    """As if a GPU had trained the first half: device and precision do not bind, its generator's state is not read."""
    run, overrides = tmp_path / "run", [*ACCUMULATED, "train.save_every=3"]
    killed(run, overrides, "Job.step", 6)
    recipe = checkpoint.read_recipe(run)
    recipe["train"] |= {"device": "cuda", "precision": "bf16"}
    checkpoint.write_recipe(run, recipe)
    random = checkpoint.read_tensors(run / "last" / "random.safetensors")
    checkpoint.write_tensors(run / "last" / "random.safetensors", random | {"cuda": torch.zeros(16).byte()})
    damaged(run, lambda state: None)
    said = train_small(run, *overrides, "train.device=cpu", resume=True)
    assert said.startswith(f"resuming {run} at step 3\n")
    assert (run / "model.safetensors").read_bytes() == (frozen_run / "model.safetensors").read_bytes()


def test_a_finished_run_is_left_as_it_is(tmp_path, frozen_run):
    run = shutil.copytree(frozen_run, tmp_path / "[run] with spaces")
    times = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    said = train_small(run, *ACCUMULATED, resume=True)
    assert said.startswith(f"{run} finished at step 8: ") and said.endswith("nothing to resume\n")
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == times


def test_what_a_kill_at_the_very_end_left_is_swept(tmp_path, frozen_run):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    (run / ".metrics.csv.0123456789abcdef.part").write_text("half")
    train_small(run, *ACCUMULATED, resume=True)
    assert not list(run.glob(".*.part"))
