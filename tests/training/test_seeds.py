"""Runs of several seeds: what is refused before the first, a failed one, and the table of the others."""

import re

import pytest
import yaml
from rich.console import Console

from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.training.seeds import table, train_seeds
from tests.small import FROZEN, RECIPE

QUIET = Console(quiet=True)


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    return str(tmp_path / "small.yaml")


def test_the_table_has_the_mean_and_the_deviation_of_each_metric(capsys):
    rows = {1: {"step": 8, "val_loss": 1.0, "CIDEr-D": 0.2}, 7: {"step": 16, "val_loss": 2.0, "CIDEr-D": 0.4}}
    Plain(width=100).print(table(rows))
    lines = [line for line in capsys.readouterr().out.splitlines() if re.search(r"\d\.\d", line)]
    assert [re.findall(r"[\d.]+", line.replace("CIDEr-D", "")) for line in lines] == [
        ["1.0000", "2.0000", "1.5000", "0.7071"],
        ["0.2000", "0.4000", "0.3000", "0.1414"],
    ]


@pytest.mark.parametrize(
    ("seeds", "overrides", "wrong"),
    [
        ("1,1", [], "different whole numbers"),
        ("1,x", [], "different whole numbers"),
        ("1,", [], "different whole numbers"),
        ("1,01", [], "different whole numbers"),
        ("1,\u0662", [], "different whole numbers"),
        (f"1,{2**32}", [], "below 4,294,967,296"),
        ("1," + "9" * 5000, [], "below 4,294,967,296"),
        ("1," + "0" * 5000, [], "below 4,294,967,296"),
        ("1,2", ["train.seed=3"], "leave out train.seed"),
        ("1,2", ["train.epoch=3"], "did you mean epochs"),
        ("1,2", [], "R-2 exists.*--resume"),
    ],
)
def test_a_mistake_is_refused_before_the_first_run(tmp_path, recipe, seeds, overrides, wrong):
    (tmp_path / "R-2").mkdir()
    (tmp_path / "R-2" / "model.safetensors").touch()
    with pytest.raises(ValueError, match=wrong):
        train_seeds(recipe, overrides, tmp_path / "R", seeds, None, False, QUIET, QUIET)
    assert not (tmp_path / "R-1").exists()


@pytest.mark.slow
def test_a_failed_seed_costs_only_itself_and_the_others_resume(tmp_path, recipe, capsys):
    (tmp_path / "R-2").mkdir()
    (tmp_path / "R-2" / "model.safetensors").touch()  # a run without a checkpoint, which cannot be resumed
    overrides = [*FROZEN, "train.max_steps=3", "train.select=loss"]
    with pytest.raises(InputError, match=r"1 of 3 seeds failed: 2; see .*R-2\.log.*--resume"):
        train_seeds(recipe, overrides, tmp_path / "R", "1,2,3", 2, True, QUIET, Plain(width=100))
    assert re.search(r"val_loss.*\d", capsys.readouterr().out)
    assert (tmp_path / "R-1" / "model.safetensors").exists() and (tmp_path / "R-3" / "model.safetensors").exists()
    (tmp_path / "R-2" / "model.safetensors").unlink()
    train_seeds(recipe, overrides, tmp_path / "R", "1,2,3", 2, True, QUIET, QUIET)
    assert "nothing to resume" in (tmp_path / "R-1.log").read_text()
    assert (tmp_path / "R-2" / "model.safetensors").exists()
