"""Who made a file: the command as it can be typed again, the version, the commit."""

import re

import pytest

from showtell import __version__
from showtell.plumbing import origin as room
from showtell.plumbing.origin import command, commit, origin


@pytest.mark.parametrize("program", ["/usr/bin/showtell", "showtell.exe", "/x/showtell/__main__.py"])
def test_a_command_can_be_typed_again(monkeypatch, program):
    monkeypatch.setattr("sys.argv", [program, "train", "bern-6", "data.root=my photos"])
    assert command() == "showtell train bern-6 'data.root=my photos'"


def test_python_has_no_command(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest", "tests"])
    assert command() == "" == origin()["command"]


def test_version_and_day_are_there():
    made = origin()
    assert made["version"] == __version__ and re.fullmatch(r"\d{4}-\d{2}-\d{2}", made["date"])


def test_a_checkout_has_a_commit_and_an_installed_copy_has_none(monkeypatch, tmp_path):
    assert commit() == "" or re.fullmatch(r"[0-9a-f]{12,}(-dirty)?", commit())
    monkeypatch.setattr(room, "__file__", str(tmp_path / "lib" / "showtell" / "plumbing" / "origin.py"))
    assert commit.__wrapped__() == ""
