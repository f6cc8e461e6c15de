"""A run of Showtell 0.1 is refused with commands that make it anew."""

import shlex
import shutil

import pytest
import yaml

import showtell
from showtell.cli import main
from showtell.plumbing.errors import InputError


def old(run):
    """A run as Showtell 0.1 left it: no version, and the loss among the options of `train`."""
    recipe = {k: v for k, v in yaml.safe_load((run / "recipe.yaml").read_text()).items() if k != "showtell"}
    loss = recipe.pop("loss")
    recipe["train"] |= {"loss": loss.pop("name"), "samples": 5, "reward": None, "baseline": "mean"} | loss
    for newer in ("labels", "carry_state"):
        recipe["train"].pop(newer)
    recipe["train"]["encoder_lr"] = recipe["train"].pop("pretrained_lr")
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))


@pytest.mark.slow
def test_a_run_of_0_1_is_refused_with_the_line_that_trains_it_anew(tmp_path, cnn_run, capsys, monkeypatch):
    run = shutil.copytree(cnn_run, tmp_path / "my run")
    old(run)
    for words in (["caption", "x.jpg", "--model"], ["evaluate"], ["train", "scenes", "--resume", "--run"]):
        monkeypatch.setattr("sys.argv", ["showtell", *words, str(run)])
        (tmp_path / "x.jpg").touch()
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and "0.1" in said
    line = shlex.split(said.partition(": showtell ")[2])
    monkeypatch.setattr("sys.argv", ["showtell", *line, "train.max_steps=1"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert showtell.load(f"{run}-anew").recipe["loss"] == showtell.load(cnn_run).recipe["loss"]


def made_anew(run, monkeypatch):
    """Run the commands that the refusal of a run of 0.1 prints, each training for one step."""
    with pytest.raises(InputError) as caught:
        showtell.load(run)
    for line in caught.value.advice.removeprefix("train it again: ").split(" && "):
        words = shlex.split(line)
        few = ["train.max_steps=1"] if words[1] == "train" else []
        monkeypatch.setattr("sys.argv", [*words, *few])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
    return showtell.load(f"{run}-anew")


@pytest.mark.slow
def test_a_run_of_0_1_that_began_with_another_is_made_anew_after_that_one(tmp_path, cnn_run, monkeypatch):
    first, second = (shutil.copytree(cnn_run, tmp_path / name) for name in ("first", "second"))
    old(first)
    old(second)
    recipe = yaml.safe_load((second / "recipe.yaml").read_text())
    recipe["train"]["start"] = str(first)
    (second / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert made_anew(second, monkeypatch).recipe["train"]["start"] == f"{first}-anew"


@pytest.mark.slow
def test_an_ensemble_of_0_1_is_made_anew_of_its_members(tmp_path, cnn_run, monkeypatch):
    for name in ("1", "2"):
        old(shutil.copytree(cnn_run, tmp_path / "both" / "members" / name))
    recipe = {"captioner": {"name": "ensemble", "members": ["members/1", "members/2"]}}
    (tmp_path / "both" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert len(made_anew(tmp_path / "both", monkeypatch).members) == 2
