"""What is a file, how large it may be, and what JSON may hold: every reader asks here."""

import os

import pytest

from showtell.plumbing import pickles
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import check_model_files, parse_json, read_json, why_not
from showtell.plumbing.weights import read_weights
from showtell.regions.readers import open_features
from showtell.scoring.formats import read_candidates
from showtell.settings.text import load_recipe
from showtell.tokenizers.word_map import WordMap

READERS = {
    "recipe.yaml": lambda path: load_recipe(str(path)),
    "captions.json": read_candidates,
    "settings.json": read_json,
    "words.json": lambda path: WordMap(file=str(path)),
    "weights.pth": lambda path: read_weights(path, "encoder.weights"),
    "weights.safetensors": lambda path: read_weights(path, "encoder.weights"),
    "array.pkl": pickles.load,
    "array.npz": open_features,
    "array.h5": open_features,
    "array.safetensors": open_features,
    "config.json": lambda path: check_model_files(path.parent),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "hole", "itself"])
def test_no_reader_waits_for_a_pipe_or_reads_a_device_or_a_terabyte_of_nothing(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "itself":
        path.symlink_to(path)
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    with pytest.raises(ValueError, match=r"pipe|device|too large|never written|leads to itself|no such file|not exist"):
        READERS[name](path)


def test_a_cut_download_and_a_missing_right_are_named(tmp_path, monkeypatch):
    with (tmp_path / "a.safetensors").open("wb") as file:
        file.write(b"x" * 4096)
        file.truncate(2**28)
    assert why_not(tmp_path / "a.safetensors").startswith("was never written: 0 of its 268 MB")
    assert why_not(tmp_path) == "is a folder, not an ordinary file"
    (tmp_path / "b").touch()
    assert why_not(tmp_path / "b") == ""
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert why_not(tmp_path / "b") == "may not be read: permission denied"  # root may read all


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 70 + "]" * 70, '{"a": ' * 70 + "1" + "}" * 70, "9" * 5000])
def test_json_that_breaks_what_comes_after_it_is_refused(text):
    with pytest.raises(ValueError, match=r"deeper than 64 levels|5,000 digits") as refused:
        parse_json(text)
    assert "sys." not in str(refused.value)


def test_half_a_letter_is_written_out_and_brackets_in_texts_are_no_levels():
    assert parse_json('{"\\ud83d": ["\\ud83d\\ude00", 7]}') == {"\\ud83d": ["\U0001f600", 7]}
    assert parse_json('"\\ud83d"', mend=False) == "\ud83d"
    assert parse_json('["' + "[" * 200 + '"]') == ["[" * 200]


def test_only_input_errors_come_out_of_a_damaged_json(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InputError, match="no text in UTF-8: byte 7 is 0xff"):
        read_json(tmp_path / "a.json")
