import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import pytest

from showtell.cache import contents
from showtell.cache.contents import digest_files

AGES = 1_000_000_000  # seconds since 1970: long ago


def digests(paths: list[Path], memory: Path) -> list[str | None]:
    with ThreadPoolExecutor(2) as pool:
        return digest_files(paths, memory, pool)


def old_file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    os.utime(path, (AGES, AGES))
    return path


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as long untouched; the time of the last change cannot be set back as the others can."""
    monkeypatch.setattr(contents, "SETTLED", -100.0)


def test_digests_are_of_the_bytes_and_none_where_there_are_none(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for path, data in zip(files, (b"x", b"y" * 3_000_000, b"x"), strict=True):
        path.write_bytes(data)
    found = digests([*files, tmp_path / "none", tmp_path], tmp_path / "m.sqlite")
    assert found[1] == blake2b(b"y" * 3_000_000, digest_size=16).hexdigest()
    assert found[0] == found[2] != found[1] and found[3:] == [None, None]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", ["a", "two\nlines", "\udcff"])
def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    try:
        path, memory = old_file(tmp_path / name, b"x"), tmp_path / "m.sqlite"
    except OSError:
        pytest.skip("a name that this file system does not take")
    before = digests([path], memory)
    monkeypatch.setattr(contents, "digest_file", lambda path: "read")
    assert digests([path], memory) == before
    old_file(path, b"longer")
    assert digests([path], memory) == ["read"]


@pytest.mark.usefixtures("settled")
def test_other_bytes_of_the_same_size_and_time_are_noticed(tmp_path: Path) -> None:
    path, memory = old_file(tmp_path / "a", b"x"), tmp_path / "m.sqlite"
    before = digests([path], memory)
    old_file(path, b"y")
    assert digests([path], memory) != before


def test_a_file_touched_just_now_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, memory = old_file(tmp_path / "a", b"x"), tmp_path / "m.sqlite"
    digests([path], memory)
    monkeypatch.setattr(contents, "digest_file", lambda path: "read")
    assert digests([path], memory) == ["read"]


@pytest.mark.usefixtures("settled")
def test_a_damaged_memory_costs_nothing_but_time(tmp_path: Path) -> None:
    path, memory = old_file(tmp_path / "a", b"x"), tmp_path / "m.sqlite"
    memory.write_bytes(b"no database at all" * 100)
    assert digests([path], memory) == [blake2b(b"x", digest_size=16).hexdigest()]


@pytest.mark.usefixtures("settled")
def test_a_damaged_row_of_the_memory_counts_as_absent(tmp_path: Path) -> None:
    """A flipped bit of a digest would be another photo's: features would be made anew, and a run not be resumed."""
    path, memory = old_file(tmp_path / "a", b"x"), tmp_path / "m.sqlite"
    right = digests([path], memory)
    whole = memory.read_bytes()
    assert right[0] is not None
    start = whole.index(right[0].encode())
    for place in range(start - 40, start + 40):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        memory.write_bytes(damaged)
        assert digests([path], memory) == right


def test_a_link_in_the_place_of_the_memory_is_not_written_through(tmp_path: Path) -> None:
    photo, memory = old_file(tmp_path / "photo", b"a"), tmp_path / "contents.sqlite"
    memory.symlink_to(tmp_path / "elsewhere")
    assert digests([photo], memory) == digests([photo], tmp_path / "other.sqlite")
    assert not (tmp_path / "elsewhere").exists()
