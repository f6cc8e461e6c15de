from errno import ELOOP
from pathlib import Path

import pytest
import torch
from torch import Tensor

from showtell.cache.store import Store, layout_of, row_bytes
from showtell.plumbing.errors import InputError


def rows(first: int, last: int) -> dict[str, Tensor]:
    numbers = torch.arange(first, last)
    return {
        "tokens": numbers[:, None, None].half().expand(-1, 5, 6).contiguous(),
        "mask": (numbers % 2 == 0)[:, None].expand(-1, 5).contiguous(),
    }


def contents(first: int, last: int) -> list[str]:
    return [f"{number:032x}" for number in range(first, last)]


def write(folder: Path, first: int, last: int) -> Store:
    store = Store(folder)
    with store.writing(layout_of(rows(0, 1)), wait=lambda: None):
        assert len(store.rows) == first
        store.append(contents(first, last), rows(first, last))
    return store


def test_rows_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "s", 0, 7)
    store = write(tmp_path / "s", 7, 11)
    for seen in (store, Store(tmp_path / "s")):
        assert seen.rows == {content: row for row, content in enumerate(contents(0, 11))}
        found = seen.read([9, 2, 2])
        assert found["tokens"][:, 4, 5].tolist() == [9, 2, 2] and found["tokens"].dtype == torch.half
        assert found["mask"][:, 0].tolist() == [False, True, True]


def test_a_row_takes_what_is_said(tmp_path: Path) -> None:
    write(tmp_path, 0, 11)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.raw")) == 11 * row_bytes(layout_of(rows(0, 1)))


def test_nothing_is_there_before_the_first_row(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").rows == {}
    with Store(tmp_path).writing(layout_of(rows(0, 1)), wait=lambda: None):
        pass
    assert Store(tmp_path).rows == {}


@pytest.mark.parametrize("name", ["tokens.raw", "mask.raw", "contents.txt"])
@pytest.mark.parametrize("lost", [1, 40, 61, 200])
def test_a_cut_file_keeps_the_good_prefix_and_can_go_on(tmp_path: Path, name: str, lost: int) -> None:
    write(tmp_path, 0, 11)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    cut = tmp_path / name
    cut.write_bytes(cut.read_bytes()[:-lost])
    good = len(Store(tmp_path).rows)
    assert good < 11 and Store(tmp_path).rows == dict(zip(contents(0, good), range(good), strict=True))
    write(tmp_path, good, 11)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


def test_old_lines_never_name_rows_that_were_written_later(tmp_path: Path) -> None:
    write(tmp_path, 0, 11)
    for path in tmp_path.glob("*.raw"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 11 * 5])
    store = Store(tmp_path)
    with store.writing(store.layout, wait=lambda: None):
        for name, part in rows(20, 26).items():  # data of other contents, and killed before their lines
            store._write(tmp_path / f"{name}.raw", part.numpy().tobytes())
    assert list(Store(tmp_path).rows) == contents(0, 5)


def test_a_second_writer_waits_and_then_sees_the_first_ones_rows(tmp_path: Path) -> None:
    from threading import Thread

    first, second, waited = Store(tmp_path), Store(tmp_path), []

    def write_second() -> None:
        with second.writing(layout_of(rows(0, 1)), wait=lambda: waited.append(len(second.rows))):
            second.append(contents(3, 4), rows(3, 4))

    with first.writing(layout_of(rows(0, 1)), wait=lambda: None):
        thread = Thread(target=write_second)
        thread.start()
        first.append(contents(0, 3), rows(0, 3))
        thread.join(0.2)
        assert thread.is_alive() and waited == [0]
    thread.join()
    assert list(second.rows) == contents(0, 4) and second.read([3, 0])["tokens"][:, 0, 0].tolist() == [3, 0]


@pytest.mark.parametrize("name", ["tokens.raw", "mask.raw", "contents.txt", "layout.json"])
def test_damaged_rows_are_never_read_as_others(tmp_path: Path, name: str) -> None:
    """Any bit that flips is told, or costs rows; what is read is what was written."""
    write(tmp_path / "s", 0, 7)
    whole = (tmp_path / "s" / name).read_bytes()
    for place in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        (tmp_path / "s" / name).write_bytes(damaged)
        try:
            store = Store(tmp_path / "s")
            for content, row in store.rows.items():
                if content in contents(0, 7):
                    number = int(content, 16)
                    assert torch.equal(store.read([row])["tokens"], rows(number, number + 1)["tokens"])
        except InputError as error:
            assert "damaged; delete this folder" in str(error)


@pytest.mark.parametrize("name", ["lock", "tokens.raw", "contents.txt", "layout.json", "layout.part"])
def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).symlink_to(elsewhere)
    try:
        write(tmp_path / "s", 0, 7)
    except OSError as error:
        assert error.errno == ELOOP and name not in ("layout.json", "layout.part")
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize(
    "layout",
    [
        '{"a": ["float16", [1e30]]}',
        '{"../a": ["float16", [3]]}',
        '{"a": ["object", [3]]}',
        '{"a": ["uint8", [-3]]}',
        "9",
    ],
)
def test_a_damaged_layout_is_no_store(tmp_path, layout):
    (tmp_path / "layout.json").write_text(layout)
    (tmp_path / "contents.txt").write_text(f"{'a' * 32} {'b' * 8}\n")
    (tmp_path / "a.raw").write_bytes(bytes(99))
    assert Store(tmp_path).rows == {}
