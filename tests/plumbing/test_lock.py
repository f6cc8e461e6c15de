"""One writer at a time; a kill frees the lock."""

import errno
import signal
import subprocess
import sys

import pytest

from showtell.plumbing import lock as locks
from showtell.plumbing.errors import InputError
from showtell.plumbing.lock import Lock

HOLD = """
import sys, time
from pathlib import Path
from showtell.plumbing.lock import Lock
with Lock(Path(sys.argv[1])) as lock:
    lock.take()
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.wait()


def test_the_second_is_told_who_holds_it_and_since_when(tmp_path, holder):
    with pytest.raises(InputError, match=rf"in use: process {holder.pid} on .* since 20\d\d-"), Lock(tmp_path) as lock:
        lock.take()


def test_a_kill_frees_it_and_its_end_leaves_nothing(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Lock(tmp_path) as lock:
        lock.take()
        lock.take()  # again is as good
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), Lock(tmp_path / "folder") as lock:
        lock.take()
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_not_taken_is_not_made(tmp_path):
    with Lock(tmp_path / "no folder"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_without_locks_can_be_written_to(tmp_path, monkeypatch, number):
    def flock(file, how):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with Lock(tmp_path) as lock:
        lock.take()
        assert lock.taken


def test_a_network_disk_may_say_that_a_lock_is_held_in_its_own_words(tmp_path, monkeypatch):
    def flock(file, how):
        raise PermissionError(errno.EACCES, "held by another client")

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.raises(InputError, match="in use"), Lock(tmp_path) as lock:
        lock.take()


def test_a_system_without_such_locks_has_its_files_all_the_same(tmp_path, monkeypatch):
    """As on Windows, whose `os` lacks some flags too."""
    monkeypatch.setattr(locks, "fcntl", None)
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "pwrite"):
        monkeypatch.delattr(locks.os, name)
    with Lock(tmp_path) as lock:
        lock.take()
        assert lock.taken


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b'{"process": 1}', b"x" * 5000])
def test_what_a_kill_left_in_the_file_never_blocks(tmp_path, content):
    (tmp_path / ".lock").write_bytes(content)
    with Lock(tmp_path) as lock:
        lock.take()
        assert b'"process"' in (tmp_path / ".lock").read_bytes()[:12]
    assert list(tmp_path.iterdir()) == []
