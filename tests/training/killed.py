"""Runs that are stopped at a chosen moment, what they left, and how two of them are compared."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import torch

from showtell import checkpoint
from showtell.training import loop as train
from showtell.training.log import Log, read_log
from tests.small import FROZEN, train_small

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
        {name: value for name, value in row.items() if name not in ("captions_per_second", "seconds")}
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
