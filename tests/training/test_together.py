"""Two trainings in one folder: the first goes on, the second is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import showtell
from showtell import checkpoint
from showtell.plumbing.errors import InputError
from showtell.plumbing.lock import Lock
from showtell.recipe.check import check
from showtell.scoring.compare import compare_runs
from showtell.settings.text import override
from showtell.training.loop import train
from tests.small import FROZEN, RECIPE, train_small

TRAIN = """
import sys
from pathlib import Path
from showtell.cli import main
from tests.small import RECIPE
import yaml
Path(sys.argv[2]).write_text(yaml.safe_dump(RECIPE))
sys.argv = ["showtell", "train", sys.argv[2], "--run", sys.argv[1], *sys.argv[3:]]
main()
"""


def start(run, recipe, *words):
    words = [str(run), str(recipe), *FROZEN, *words]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as the tests have: the order of a sum depends on it
    return subprocess.Popen([sys.executable, "-c", TRAIN, *words], stderr=subprocess.PIPE, text=True, env=one_thread)


@pytest.mark.slow
def test_of_two_trainings_that_begin_together_one_is_refused_and_the_run_is_of_the_other(tmp_path):
    both = [start(tmp_path / "run", tmp_path / f"{seed}.yaml", f"train.seed={seed}") for seed in (1, 2)]
    told = [each.communicate(timeout=100)[1] for each in both]
    codes = [each.returncode for each in both]
    assert sorted(codes) == [0, 2], told
    winner = codes.index(0) + 1
    assert showtell.load(tmp_path / "run").recipe["train"]["seed"] == winner
    train_small(tmp_path / "alone", *FROZEN, f"train.seed={winner}")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "alone")]
    assert same[0] == same[1]


def test_a_run_in_use_is_not_resumed_and_can_be_scored(tmp_path, frozen_run):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with Lock(run) as lock:
        lock.take()
        for resume in (True, False):
            with pytest.raises(InputError, match="in use"):
                train_small(run, *FROZEN, "train.accumulate=2", resume=resume)
        assert all(path.read_bytes() == content for path, content in before.items())
        assert showtell.evaluate(run, "val", ["evaluate.metrics=[BLEU-1]"])["scores"]["BLEU-1"]["value"] >= 0
    assert not (run / ".lock").exists()


LONG = ["train.accumulate=2", "train.epochs=20", "train.validate_every=20", "train.save_every=1"]


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL], ids=["it goes on", "it is killed"])
def test_nobody_resumes_a_living_training_and_a_killed_one_goes_on(tmp_path, end):
    run = tmp_path / "run"
    first = start(run, tmp_path / "recipe.yaml", *LONG)
    while not (run / "last" / "state.json").exists() and first.poll() is None:
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # so that it is in the middle, however slow this machine is
    others = [start(run, tmp_path / f"{word}.yaml", *LONG, word) for word in ("--resume", "train.seed=3")]
    for second in others:
        told = second.communicate(timeout=100)[1]
        assert second.returncode == 2 and f"in use: process {first.pid} on " in told and " since 20" in told
    first.send_signal(end)
    assert first.wait(timeout=100) == (0 if end == signal.SIGCONT else -signal.SIGKILL)
    if end == signal.SIGKILL:
        assert (run / ".lock").exists()
        assert start(run, tmp_path / "again.yaml", *LONG, "--resume").wait(timeout=100) == 0
    assert not (run / ".lock").exists()
    train_small(tmp_path / "alone", *FROZEN, *LONG)
    assert (run / "model.safetensors").read_bytes() == (tmp_path / "alone" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("captioner", [[], ["captioner=nearest"]], ids=["neural", "nearest"])
def test_a_folder_in_use_is_refused_before_the_data_is_read(tmp_path, captioner):
    """Its first training has written nothing yet."""
    recipe = {"data": RECIPE["data"], "encoder": {"name": "lite", "image_size": 64}} if captioner else RECIPE
    (tmp_path / "run").mkdir()
    with Lock(tmp_path / "run") as lock:
        lock.take()
        with pytest.raises(InputError, match="in use"):
            train(check(override(recipe | {"data": {"name": "folder", "root": "none"}}, captioner)), tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_link_in_the_place_of_the_lock_is_an_error_with_a_way_out(tmp_path, frozen_run):
    run = shutil.copytree(frozen_run, tmp_path / "run")
    (tmp_path / "elsewhere").write_text("mine")
    (run / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"cannot hold a run.*another folder with --run"):
        train_small(run, *FROZEN, "train.accumulate=2", resume=True)
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.slow
def test_of_two_ensembles_that_begin_together_one_is_refused(tmp_path, frozen_run):
    words = ["ensemble", str(frozen_run), str(frozen_run), "--run", str(tmp_path / "both")]
    command = [sys.executable, "-m", "showtell", *words]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [each.communicate(timeout=100)[1] for each in both]
    assert sorted(each.returncode for each in both) == [0, 2], told
    assert len(showtell.load(tmp_path / "both").members) == 2 and not (tmp_path / "both" / ".lock").exists()


def test_a_stranger_run_writes_nothing_elsewhere(tmp_path, frozen_run):
    """Links wherever a run is written: the scores, the checkpoint's folders and the names that once were used."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine")
    run = shutil.copytree(frozen_run, tmp_path / "run")
    for name in ("scores-val.json", "captions-val.json", "scores-val.json.part", "captions-val.json.part"):
        (run / name).symlink_to(elsewhere / "file")
    showtell.evaluate(run, "val", ["evaluate.metrics=[BLEU-1]"])
    for name in ("last.part", "last.new", ".last-x"):
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).symlink_to(elsewhere, target_is_directory=True)
    saved = checkpoint.read_training(run)  # a link called last.new is no checkpoint
    checkpoint.write_training(run, *saved)
    assert checkpoint.read_training(run)[1] == saved[1]
    assert [path.name for path in elsewhere.iterdir()] == ["file"] and (elsewhere / "file").read_text() == "mine"


@pytest.mark.slow
def test_a_stranger_run_draws_no_scenes_where_its_recipe_says(tmp_path, frozen_run):
    run, elsewhere = shutil.copytree(frozen_run, tmp_path / "run"), tmp_path / "new" / "elsewhere"
    quick = ["evaluate.metrics=[BLEU-1]"]
    showtell.evaluate(run, "val", quick)
    recipe = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(recipe.replace("  root: null", f"  root: {elsewhere}"))
    copy = shutil.copytree(run, tmp_path / "copy")
    for job in (lambda: showtell.evaluate(run, "val", quick), lambda: compare_runs([run, copy])):
        with pytest.raises(InputError, match=r"^data\.root is .*elsewhere.*set data\.root="):
            job()
    assert not elsewhere.parent.exists()
    showtell.evaluate(run, "val", [*quick, f"data.root={elsewhere}"])  # a folder that the user names
    showtell.evaluate(run, "val", quick)
    assert (elsewhere / "scenes.json").exists()


@pytest.mark.slow
def test_an_ensemble_that_names_itself_is_refused(tmp_path, frozen_run):
    from showtell.training.together import make_ensemble

    make_ensemble([frozen_run, frozen_run], tmp_path / "both")
    shutil.rmtree(tmp_path / "both" / "members" / "2")
    (tmp_path / "both" / "members" / "2").symlink_to(tmp_path / "both", target_is_directory=True)
    with pytest.raises(InputError, match=r"^captioner\.members has 'members/2'"):
        showtell.load(tmp_path / "both")


@pytest.mark.parametrize("member", ["../x", "ABSOLUTE"])
def test_an_ensemble_writes_and_reads_its_members_inside_of_its_folder(tmp_path, frozen_run, member):
    from showtell.training.together import make_ensemble

    ensemble = make_ensemble([frozen_run, frozen_run], tmp_path / "both")
    name = member.replace("ABSOLUTE", str(tmp_path / "x"))
    ensemble.recipe["captioner"]["members"][1] = name
    with pytest.raises(InputError, match=r"^captioner\.members has "):
        ensemble.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "x").exists() and not Path(tmp_path / "saved" / "members" / "2").exists()
    recipe = (tmp_path / "both" / "recipe.yaml").read_text()
    (tmp_path / "both" / "recipe.yaml").write_text(recipe.replace("members/2", name))
    with pytest.raises(InputError, match=r"^captioner\.members has "):
        showtell.load(tmp_path / "both")
