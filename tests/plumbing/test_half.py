"""A folder that is made whole or not at all, whatever kills its maker."""

import os
import signal

import pytest

from showtell.plumbing import lock
from showtell.plumbing.files import set_aside, whole
from showtell.plumbing.half import made_whole


def killed_while_making(folder):
    """Begin to make the folder in another process, and kill that."""
    process = os.fork()
    if process == 0:
        with made_whole(folder) as half:
            (half / "a").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1])


def test_what_a_kill_left_is_swept_by_the_next_and_blocks_nothing(tmp_path):
    killed_while_making(tmp_path / "scenes-1")
    assert not (tmp_path / "scenes-1").exists() and len([*tmp_path.iterdir()]) == 1
    with made_whole(tmp_path / "scenes-1") as half:
        (half / "b").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["scenes-1"]
    assert [path.name for path in (tmp_path / "scenes-1").iterdir()] == ["b"]


def test_half_a_file_is_swept_when_the_file_is_written_again(tmp_path):
    path = tmp_path / "a[1].png"
    process = os.fork()
    if process == 0:
        with whole(path) as part:
            part.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert len([*tmp_path.iterdir()]) == 1 and not path.exists()
    with whole(path) as first, whole(path) as second:  # two at once do not sweep each other
        first.write_text("1")
        second.write_text("2")
    assert [each.name for each in tmp_path.iterdir()] == ["a[1].png"] and path.read_text() == "1"


def test_a_half_folder_in_use_is_not_swept_and_a_failure_leaves_nothing(tmp_path):
    (tmp_path / ".mine.half").mkdir()  # no lock in it, so nobody knows whose it is
    with made_whole(tmp_path / "first") as first:
        with pytest.raises(ZeroDivisionError), made_whole(tmp_path / "second"):
            raise ZeroDivisionError
        assert first.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.half", "first"]


def test_on_a_disk_without_locks_nothing_of_another_writer_is_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    with made_whole(tmp_path / "first") as first, whole(tmp_path / "a.json") as part:
        with made_whole(tmp_path / "second"), whole(tmp_path / "a.json") as other:
            assert first.is_dir() and part.is_file()
            other.write_text("other")
        part.write_text("mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "first", "second"]
    assert (tmp_path / "a.json").read_text() == "mine"


def test_a_file_that_a_library_put_in_the_place_of_ours_is_not_swept(tmp_path):
    with whole(tmp_path / "a") as part:
        (tmp_path / "theirs").write_text("theirs")
        (tmp_path / "theirs").replace(part)
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "theirs"


def test_a_kill_while_a_folder_is_replaced_loses_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine").touch()
    (tmp_path / "run.before").mkdir()  # a person's, although its name is similar
    process = os.fork()
    if process == 0:
        with set_aside(tmp_path / "run"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    (old,) = tmp_path.glob("run.*.before")
    assert (old / "mine").exists() and not (tmp_path / "run").exists()
    with pytest.raises(ZeroDivisionError), made_whole(tmp_path / "run", replace=True):
        raise ZeroDivisionError
    assert (old / "mine").exists()  # what failed deletes nothing
    with made_whole(tmp_path / "run", replace=True) as half:
        (half / "new").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.before"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["new"]
