"""What all tests of the command line share."""

import sys

import pytest

from showtell.cli import main


@pytest.fixture
def showtell(monkeypatch, capsys):
    """`showtell("caption", "a.jpg")` -> (exit code, standard output, standard error), in this process."""

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
