"""The folder of an export: whole or as it was, and nothing that a person wrote is deleted."""

import json
import os
import signal

import pytest

from showtell.export import write
from showtell.export.write import GRAPHS, KEYS, check_free, export
from showtell.plumbing.errors import InputError
from tests.export.test_export import captioner_of

NAMES = sorted([*GRAPHS, "README.md", "recipe.yaml", "run.py", "settings.json", "tokenizer.json"])


@pytest.fixture
def quick(monkeypatch):
    """Graphs without content: only the folder counts here."""
    monkeypatch.setattr(write, "_write_graphs", lambda captioner, folder, *_: [(folder / n).touch() for n in GRAPHS])
    return captioner_of()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "mine",
    [
        {"README.md": "thesis"},
        {"recipe.yaml": "decoder: mine"},
        {"tokenizer.txt": "mine"},
        {"settings.json": "{}", **dict.fromkeys(GRAPHS, "")},
        {"settings.json": "no JSON", **dict.fromkeys(GRAPHS, "")},
        {"settings.json": json.dumps(dict.fromkeys(KEYS)), "encoder.onnx": "mine"},
        {"settings.json": json.dumps(dict.fromkeys(KEYS)), "tokenizer.mine": "", **dict.fromkeys(GRAPHS, "")},
    ],
    ids=lambda mine: ", ".join(mine),
)
def test_a_folder_with_anything_of_a_person_stays(mine, tmp_path, quick):
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        export(quick, tmp_path, say=str)
    assert caught.value.key == "--out" and str(tmp_path) in str(caught.value)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == mine


def test_a_folder_inside_an_export_stays(tmp_path, quick):
    export(quick, tmp_path / "onnx", say=str)
    (tmp_path / "onnx/README.md").unlink()
    (tmp_path / "onnx/README.md").mkdir()
    with pytest.raises(InputError, match=r"README\.md"):
        check_free(tmp_path / "onnx")


def test_an_earlier_export_is_replaced_and_nothing_stays_beside_it(tmp_path, quick):
    (tmp_path / "onnx").mkdir()
    for _ in range(2):
        export(quick, tmp_path / "onnx", say=str)
        assert names(tmp_path) == ["onnx"] and names(tmp_path / "onnx") == NAMES
        (tmp_path / "onnx/README.md").write_text("the old one")
    (tmp_path / "link").symlink_to("onnx")
    export(quick, tmp_path / "link", say=str)
    assert "ONNX" in (tmp_path / "onnx/README.md").read_text() and (tmp_path / "link").is_symlink()


def test_an_export_that_fails_leaves_the_earlier_one(tmp_path, quick, monkeypatch):
    export(quick, tmp_path / "onnx", say=str)
    monkeypatch.setattr(write, "write_text", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InputError, match="No space left"):
        export(quick, tmp_path / "onnx", say=str)
    assert names(tmp_path) == ["onnx"] and names(tmp_path / "onnx") == NAMES


def test_what_somebody_puts_there_meanwhile_stays(tmp_path, quick, monkeypatch):
    export(quick, tmp_path / "onnx", say=str)
    card = write.card

    def slow(*given):
        (tmp_path / "onnx/notes.txt").touch()
        return card(*given)

    monkeypatch.setattr(write, "card", slow)
    with pytest.raises(InputError, match=r"notes\.txt"):
        export(quick, tmp_path / "onnx", say=str)
    assert "notes.txt" in names(tmp_path / "onnx") and names(tmp_path) == ["onnx"]


def test_two_exports_at_once_do_not_disturb_each_other(tmp_path, quick, monkeypatch):
    card, deep = write.card, []

    def slow(*given):
        if not deep:
            deep.append(True)
            export(quick, tmp_path / "onnx", say=str)
        return card(*given)

    monkeypatch.setattr(write, "card", slow)
    export(quick, tmp_path / "onnx", say=str)
    assert deep and names(tmp_path) == ["onnx"] and names(tmp_path / "onnx") == NAMES


def test_a_killed_export_leaves_nothing_for_the_next(tmp_path, quick, monkeypatch):
    process = os.fork()
    if process == 0:
        monkeypatch.setattr(write, "card", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        export(quick, tmp_path / "onnx", say=str)
    assert os.WIFSIGNALED(os.waitpid(process, 0)[1]) and "onnx" not in names(tmp_path)
    export(quick, tmp_path / "onnx", say=str)
    assert names(tmp_path) == ["onnx"]


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_the_folder_that_one_is_in_is_refused(folder, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    with pytest.raises(InputError, match="you are in") as caught:
        check_free(write.Path(folder))
    assert caught.value.key == "--out" and caught.value.value == folder
