"""Folders that may be written to: asked before the work that would be lost."""

import os
import re
from pathlib import Path

import pytest

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import check_folder


def test_a_folder_that_is_there_or_can_be_made_is_nothing_to_tell(tmp_path, monkeypatch):
    check_folder(tmp_path / "new" / "folder", "--out")
    check_folder(tmp_path, "--out")
    monkeypatch.chdir(tmp_path)
    for relative in (".", "new/folder"):
        check_folder(Path(relative), "--out")
    assert not list(tmp_path.iterdir())


def test_a_relative_folder_is_made_whatever_lies_above_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).is_absolute())
    check_folder(Path("new/folder"), "--out")


@pytest.mark.parametrize("below", ["", "/a/run"])
@pytest.mark.parametrize("what", ["file", "link"])
def test_a_folder_in_a_files_place_is_refused(tmp_path, what, below):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    between = f" cannot be made: {tmp_path / what}" if below else ""
    told = f"--run {tmp_path / what}{below}{between} is not a folder; name another"
    with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
        check_folder(Path(f"{tmp_path / what}{below}"), "--run")


def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may write anywhere
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path))} may not be written to; name another$"):
        check_folder(tmp_path / "runs" / "a", "--run")
    with pytest.raises(InputError, match=f"^the run {re.escape(str(tmp_path))} may not be written to; give --out F$"):
        check_folder(tmp_path, "the run", "give --out F")
