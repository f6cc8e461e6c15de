"""What holds for all tests: checked shapes, a cache of their own, one thread, no model hub; and small trained runs."""

import functools
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported

import pytest
import torch

from tests import shapes  # noqa: F401 - before any room of showtell is imported
from tests.small import FROZEN, train_small

TRAINED = {"cnn_run", "frozen_run"}
# A module that knows one of these trains something.
TRAINING = {"train_small", "trained", "make_planned", "train", "run_demo"}


def pytest_collection_modifyitems(items):
    """Mark what trains, so that `make test-fast` can do without it."""
    for item in items:
        if TRAINED & {*item.fixturenames} or TRAINING & vars(item.module).keys():
            item.add_marker("trains")


@pytest.fixture(scope="session", autouse=True)
def alone(tmp_path_factory):
    """The session's own cache, which all workers share: scenes are encoded once, and METEOR's tables are made once."""
    from showtell.encoders.lite import encoder as lite  # not before `shapes`

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.getbasetemp()
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        patch.setenv("SHOWTELL_CACHE", str(shared / "cache"))
        patch.setattr(lite, "published", functools.cache(lite.published))  # hundreds of times the same file
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def cnn_run(tmp_path_factory):
    """A finished run of 16 steps whose encoder learns too; not to be changed."""
    run = tmp_path_factory.mktemp("cnn") / "run"
    train_small(run)
    return run


@pytest.fixture(scope="session")
def frozen_run(tmp_path_factory):
    """A finished run of 8 steps on cached features, two batches a step; not to be changed."""
    run = tmp_path_factory.mktemp("frozen") / "run"
    train_small(run, *FROZEN, "train.accumulate=2")
    return run


@pytest.fixture
def showtell(monkeypatch, capsys):
    """`showtell("caption", "a.jpg")` -> (exit code, standard output, standard error), in this process."""
    from showtell.cli import main  # not before `shapes`

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["showtell", *map(str, words)])
        # No bar, however slow the machine is today
        monkeypatch.setattr("showtell.plumbing.progress.QUIET_SECONDS", 600)
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run
