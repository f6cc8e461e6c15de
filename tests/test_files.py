"""Where files may be written: asked before the work that would be lost."""

import os
import re

import pytest

from showtell.errors import InputError
from showtell.files import check_place


def test_a_place_that_can_be_made_is_nothing_to_tell(tmp_path, monkeypatch):
    check_place(tmp_path / "new" / "folder" / "page.html", "--out")
    check_place(tmp_path, "--out")
    monkeypatch.chdir(tmp_path)
    check_place(tmp_path.relative_to(tmp_path) / "page.html", "--out")
    assert not list(tmp_path.iterdir())


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    told = f"--run {tmp_path / 'file' / 'a' / 'run'} cannot be made: {tmp_path / 'file'} is not a folder; name another"
    with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
        check_place(tmp_path / "file" / "a" / "run", "--run")


def test_a_place_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path))} may not be written to; name another$"):
        check_place(tmp_path / "runs" / "a", "--run")
