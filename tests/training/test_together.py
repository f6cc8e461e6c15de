"""Two trainings in one folder: the first goes on, the second is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import showtell
from showtell.plumbing.errors import InputError
from showtell.plumbing.lock import Lock
from tests.small import FROZEN, train_small

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
    return subprocess.Popen([sys.executable, "-c", TRAIN, *words], stderr=subprocess.PIPE, text=True)


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
    with pytest.raises(InputError):
        train_small(run, *FROZEN, "train.accumulate=2", resume=True)  # last.new counts, and holds no checkpoint
    assert [path.name for path in elsewhere.iterdir()] == ["file"] and (elsewhere / "file").read_text() == "mine"


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
