"""The short form of `make attack`: each kind of damaged input once, one kill, and failures that it must notice."""

import os
import shutil
import signal
from random import Random

import pytest

from benchmarks.attack import __main__ as campaign
from benchmarks.attack import inputs
from benchmarks.attack.forked import Child, wrong
from benchmarks.attack.inputs import KINDS
from benchmarks.attack.mutate import MUTATORS, mutated
from benchmarks.attack.seeds import make


@pytest.fixture(scope="module")
def seeds(cnn_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("attack") / "seeds"
    make(folder, cnn_run)
    shutil.copytree(folder / "run", folder / "second")
    return folder


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "features"])  # its cache is that of all tests
def test_a_damaged_input_ends_in_one_line(kind, seeds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert campaign.try_input(kind, seeds, tmp_path / "work", seed=1)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "features"])
def test_an_input_without_damage_is_read(kind, seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "mutated", lambda data, random: data)
    case, _ = campaign._prepared(tmp_path / "work")
    ended = Child(KINDS[kind](seeds, case, Random(1)), tmp_path / "said").wait()
    assert ended.code == 0 or "1 of 1 photo can be read" in ended.said, ended.said


def test_a_kill_comes_just_before_the_change(tmp_path):
    def work():
        for name in "abc":
            (tmp_path / f"{name}.new").touch()
            (tmp_path / f"{name}.new").replace(tmp_path / name)

    ended = Child(work, tmp_path / "said", ends_at=1).wait()
    assert ended.code == -signal.SIGKILL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.new", "said"]


@pytest.mark.slow
def test_a_killed_ensemble_is_made_by_the_same_line(seeds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert campaign.try_kill("ensemble", seeds, tmp_path / "work", seed=8)  # at a random moment
    assert campaign.try_kill("ensemble", seeds, tmp_path / "work", seed=4)  # before a change of a file


def fails():
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("work", "reason"),
    [(fails, "a traceback"), (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal 9"), (lambda: os._exit(5), "5")],
)
def test_a_failure_is_noticed(work, reason, tmp_path):
    assert reason in wrong(Child(work, tmp_path / "said").wait())
    assert not wrong(Child(lambda: None, tmp_path / "said").wait())


def test_damage_repeats_with_its_seed():
    for mutator in MUTATORS:
        assert mutator(b"some bytes, 1 2 3", Random(5)) == mutator(b"some bytes, 1 2 3", Random(5))
    assert len({mutated(b"some bytes, 1 2 3", Random(seed)) for seed in range(50)}) > 30
