"""A run that is stopped anywhere and resumed equals the one that was not, bit for bit."""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from showtell import checkpoint
from showtell.plumbing.errors import InputError, Interrupted
from showtell.training import loop as train
from showtell.training import setup
from showtell.training.job import Job
from showtell.training.log import Log, read_log
from showtell.training.resume import Where
from tests.small import FROZEN, train_small, write_folder, write_karpathy

ACCUMULATED = [*FROZEN, "train.accumulate=2"]
FORKS = multiprocessing.get_context("forkserver")  # a child of a clean process: torch's threads survive no fork
FORKS.set_forkserver_preload(["tests.small", "spacy.lang.en"])


def nth_call(owner, name, nth, act):
    """Wrap a function so that its nth call does something else first."""
    inner, calls = getattr(owner, name), []

    def wrapped(*arguments, **options):
        calls.append(name)
        if len(calls) == nth:
            act()
        return inner(*arguments, **options)

    setattr(owner, name, wrapped)


OWNERS = {"Job": train.Job, "Log": Log, "checkpoint": checkpoint}


def train_until(run, overrides, point, nth):
    """In a child: SIGKILL right before the nth call of `point`."""
    torch.set_num_threads(1)
    owner, name = point.split(".")
    nth_call(OWNERS[owner], name, nth, lambda: os.kill(os.getpid(), signal.SIGKILL))
    train_small(run, *overrides)


def train_on_one_thread(run, resume):
    """In a child: with as many threads as the tests have, since the order of a sum depends on it."""
    torch.set_num_threads(1)
    train_small(run, resume=resume)


def killed(run: Path, overrides: list[str], point: str, nth: int) -> None:
    child = FORKS.Process(target=train_until, args=(run, overrides, point, nth))
    child.start()
    child.join(300)
    assert child.exitcode == -signal.SIGKILL


def saved_step(run: Path) -> int:
    """Where the last checkpoint stands; 0 before the first and while one replaces another."""
    try:
        return json.loads((run / "last" / "state.json").read_text())["step"]
    except FileNotFoundError:
        return 0


def logged(run: Path) -> list[dict[str, object]]:
    """What was logged, without what a clock says and without the marks of resuming."""
    return [
        {name: value for name, value in row.items() if name != "captions_per_second"}
        for row in read_log(run)
        if "event" not in row
    ]


def equal(run: Path, other: Path) -> bool:
    """Whether two runs left the same: every file by its bytes, but for what a clock says."""
    names = sorted(path.relative_to(run) for path in run.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    clocked = {"state.json", "metrics.jsonl", "metrics.csv"}
    for name in names:
        if name.name not in clocked:
            same = (run / name).read_bytes() == (other / name).read_bytes()
            assert same, name  # apart: a difference of bytes spelt out takes pytest many minutes
    states = [json.loads((folder / "last" / "state.json").read_text()) | {"seconds": 0} for folder in (run, other)]
    assert states[0] == states[1]
    assert logged(run) == logged(other)
    return True


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


@pytest.mark.parametrize(("save_every", "nth"), [(3, 6), (4, 7)], ids=["inside an epoch", "at an epoch's end"])
def test_a_frozen_run_with_accumulation_goes_on_to_the_same_end(tmp_path, save_every, nth):
    overrides = [*ACCUMULATED, f"train.save_every={save_every}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", nth)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize("overrides", [[], FROZEN], ids=["cnn", "frozen"])
def test_a_run_that_averages_its_weights_goes_on_to_the_same_end(tmp_path, overrides):
    overrides = [*overrides, "train.ema=0.9", "train.save_every=3", "train.max_steps=11"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 8)
    train_small(tmp_path / "run", *overrides, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")


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


def test_a_second_ctrl_c_stops_at_once(tmp_path, monkeypatch, cnn_run):
    monkeypatch.setattr(train.Job, "step", train.Job.step)
    nth_call(train.Job, "step", 7, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path / "run")
    monkeypatch.undo()
    train_small(tmp_path / "run", resume=True)
    assert equal(tmp_path / "run", cnn_run)


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


def test_there_is_nothing_to_resume_in_a_run_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"typo does not exist.*without --resume"):
        train_small(tmp_path / "typo", *ACCUMULATED, resume=True)
    assert not (tmp_path / "typo").exists()


def test_starting_anew_drops_what_the_run_before_the_first_checkpoint_left(tmp_path, frozen_run):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("metrics.jsonl", "metrics.csv"):
        (run / name).write_text('{"step": 1}\n')
    (run / "tokenizer.model").write_text("of another recipe")
    (run / ".recipe.yaml.x.part").write_text("half")
    train_small(run, *ACCUMULATED)
    assert equal(run, frozen_run)


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


def damaged(run, change, seal=True):
    """The state with a change; with `seal` as if Showtell itself had written it."""
    path = run / "last" / "state.json"
    state = json.loads(path.read_text())
    change(state)
    if seal:
        del state["seal"]
        state["files"] = {file.name: checkpoint.digest_file(file) for file in sorted(path.parent.glob("*.safetensors"))}
        state["seal"] = checkpoint._seal(state)
    path.write_text(json.dumps(state))


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


@pytest.mark.parametrize("name", ["scores-val.json", "model.safetensors", "last", "last.new", "thesis.txt"])
def test_a_folder_with_a_run_or_somebodys_files_is_refused_without_resume(tmp_path, name):
    (tmp_path / "recipe.yaml").write_text("data: {}")
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError) as error:
        train_small(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} exists; ")
    assert "with --resume" in error.value.advice and "another folder with --run" in error.value.advice
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["recipe.yaml", name])
    assert (tmp_path / name).read_text() == "mine"


def test_there_is_nothing_to_resume_in_a_folder_with_other_files(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"has no checkpoint.*the folder of a run with --run"):
        train_small(tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused_as_a_run(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match=f"^{tmp_path}/run is a file; .* folder with --run$"):
        train_small(tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("train.lr=0.02", "train.lr=0.01, not 0.02"),
        ("encoder.image_size=96", "encoder.image_size=64, not 96"),
        ("decoder=recurrent", "decoder.name=transformer, not recurrent"),
        ("train.epochs=3", "train.epochs=2, not 3"),
    ],
)
def test_another_setting_is_refused_by_name(frozen_run, changed, told):
    with pytest.raises(InputError) as error:
        train_small(frozen_run, *ACCUMULATED, changed, resume=True)
    assert str(error.value).startswith(f"{frozen_run} was trained with {told}; resume with ")


def test_photos_named_by_another_path_are_the_same_and_other_photos_are_refused(tmp_path, monkeypatch):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    killed(tmp_path / "run", overrides, "Job.step", 2)
    monkeypatch.chdir(tmp_path)
    for elsewhere in (tmp_path / "other", tmp_path):
        with pytest.raises(InputError, match=f"was trained with data.root={tmp_path}/data, not {elsewhere}; resume"):
            train_small(tmp_path / "run", *overrides, f"data.root={elsewhere}", resume=True)
    assert "resuming" in train_small(tmp_path / "run", *overrides, "data.root=./data", resume=True)


def test_sets_that_are_joined_may_be_named_by_other_paths_too(tmp_path, monkeypatch):
    write_karpathy(tmp_path / "data")
    joined = ["data=join", *FROZEN, "train.save_every=1"]
    killed(tmp_path / "run", [*joined, f"data.sets=[{tmp_path}/data]"], "Job.step", 2)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"was trained with data.sets="):
        train_small(tmp_path / "run", *joined, "data.sets=[./other]", resume=True)
    assert "resuming" in train_small(tmp_path / "run", *joined, "data.sets=[./data]", resume=True)


def test_other_captions_than_before_are_refused(tmp_path, monkeypatch):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    run, source = tmp_path / "run", tmp_path / "data" / "dataset_small.json"
    killed(run, overrides, "Job.step", 2)
    source.write_text(source.read_text().replace("star", "sun").replace("circle", "sun"))
    with pytest.raises(InputError) as error:
        train_small(run, *overrides, resume=True)
    assert str(error.value) == (
        f"the captions and the words that the tokenizer makes of captions have changed since {run} was trained with "
        "them; restore the old ones, or train again into another folder with --run"
    )


def test_another_tokenizer_than_before_is_refused(tmp_path):
    """Two words change places: as many words, and each id means another."""
    run = tmp_path / "run"
    killed(run, [*ACCUMULATED, "train.save_every=1"], "Job.step", 3)
    content = json.loads((run / "tokenizer.json").read_text())
    content["words"][0], content["words"][1] = content["words"][1], content["words"][0]
    (run / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"^the words that the tokenizer .*restore the old"):
        train_small(run, *ACCUMULATED, "train.save_every=1", resume=True)


def test_another_teacher_than_before_is_refused(tmp_path, frozen_run):
    teacher, run = shutil.copytree(frozen_run, tmp_path / "teacher"), tmp_path / "run"
    overrides = [*ACCUMULATED, "train.save_every=1", f"loss.teacher={teacher}"]
    killed(run, overrides, "Job.step", 3)
    tensors = checkpoint.read_tensors(teacher / "model.safetensors")
    name = next(name for name in tensors if tensors[name].is_floating_point())
    checkpoint.write_tensors(teacher / "model.safetensors", tensors | {name: tensors[name] * 1.5})
    with pytest.raises(InputError, match=r"^the weights of its pretrained parts have changed"):
        train_small(run, *overrides, resume=True)
    checkpoint.write_tensors(teacher / "model.safetensors", tensors)
    assert "resuming" in train_small(run, *overrides, resume=True)


def test_other_weights_of_a_frozen_encoder_than_before_are_refused(tmp_path, monkeypatch):
    """As where `encoder.weights=FILE` is another file by now, or a hub has other weights of that name."""
    run, overrides = tmp_path / "run", [*ACCUMULATED, "train.save_every=1"]
    killed(run, overrides, "Job.step", 3)
    built = setup.build_encoder

    def other(recipe):
        encoder = built(recipe)
        with torch.no_grad():
            next(encoder.parameters()).mul_(0.5)
        return encoder

    monkeypatch.setattr(setup, "build_encoder", other)
    with pytest.raises(InputError, match=r"^the weights of its pretrained parts have changed"):
        train_small(run, *overrides, resume=True)


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_photos_than_before_are_refused(tmp_path, split):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    killed(tmp_path / "run", overrides, "Job.step", 2)
    images = json.loads((tmp_path / "data" / "dataset_small.json").read_text())["images"]
    name = next(image["filename"] for image in images if image["split"] == split)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "data" / "images" / name)
    with pytest.raises(InputError, match=r"^the photos or their features have changed.*restore the old"):
        train_small(tmp_path / "run", *overrides, resume=True)
