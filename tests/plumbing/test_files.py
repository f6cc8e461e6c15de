"""Folders that may be written to: asked before the work that would be lost."""

import json
import os
import re
from pathlib import Path

import pytest

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import append, check_folder, inside, whole, write_json, write_text


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


def test_a_link_in_the_place_of_a_file_or_its_old_temporary_name_is_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    run = tmp_path / "run"
    run.mkdir()
    (run / "scores.json").symlink_to(elsewhere)
    (run / "scores.json.part").symlink_to(elsewhere)
    write_json(run / "scores.json", {"a": 1})
    assert elsewhere.read_text() == "mine"
    assert json.loads((run / "scores.json").read_text()) == {"a": 1} and not (run / "scores.json").is_symlink()
    (run / "metrics.jsonl").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic link"):
        append(run / "metrics.jsonl", "row")
    assert elsewhere.read_text() == "mine"


def test_two_temporary_files_never_share_a_name_and_none_stays(tmp_path):
    with whole(tmp_path / "a") as first, whole(tmp_path / "a") as second:
        assert first != second and first.parent == second.parent == tmp_path
        first.write_text("one")
        second.write_text("two")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_file_has_the_rights_that_any_has_and_an_old_one_keeps_its_own(tmp_path):
    (tmp_path / "usual").touch()
    write_text(tmp_path / "new", "x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    for mode in (0o600, 0o444):
        (tmp_path / "new").chmod(mode)
        with whole(tmp_path / "new") as part:
            assert part.stat().st_mode & 0o200  # or nobody but root could write it
            part.write_text("y")
        assert (tmp_path / "new").stat().st_mode & 0o777 == mode


def test_a_name_as_long_as_names_may_be_is_written(tmp_path):
    name = "写" * 84
    write_text(tmp_path / name, "x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_devices_pipes_and_what_stdout_is_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", tmp_path / "null", Path("/dev/fd/1")):
        kind = path.lstat().st_mode
        with pytest.raises(InputError, match="not an ordinary file"):
            write_text(path, "x")
        assert path.lstat().st_mode == kind
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "name", ["../x", "/x", "members/../../x", "link/x", ".", "", "itself", "itself/itself", "round/x", "a\0b"]
)
def test_a_path_that_leads_out_of_a_folder_is_refused_by_its_key(tmp_path, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "itself").symlink_to(".")
    (folder / "round").symlink_to("round")
    with pytest.raises(InputError, match=r"^captioner\.members has .*inside"):
        inside(folder, name, "captioner.members")
    assert inside(folder, "members/1", "captioner.members") == folder / "members" / "1"
