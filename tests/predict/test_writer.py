"""Captions in a file: an old one stays until the new one is whole, and a stop leaves what can go on."""

import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from showtell.captioners.caption import Caption
from showtell.data.scenes.scenes import scenes
from showtell.plumbing.errors import InputError
from showtell.predict.writer import FORMS, Writer
from tests.small import RECIPE

CAPTIONS = {
    "a photo.jpg": Caption('a dog, "red"', [1, 5, 2], -1.5),
    "größe/b.jpg": Caption("ein Übergang"),
    "c": Caption(""),
}
ALL = [suffix.removeprefix(".") for suffix in FORMS]


def written(path):
    with Writer(path) as writer:
        for image_id, caption in CAPTIONS.items():
            writer.write(image_id, caption)
    return path.read_bytes().decode("utf-8")


def test_json_is_a_caption_for_every_image_id(tmp_path):
    text = written(tmp_path / "out.json")
    assert json.loads(text) == {image_id: caption.text for image_id, caption in CAPTIONS.items()}
    assert "größe" in text and text.endswith("}\n")


def test_jsonl_is_one_object_a_line(tmp_path):
    rows = [json.loads(line) for line in written(tmp_path / "out.jsonl").splitlines()]
    assert rows == [{"image_id": i, "caption": c.text, "log_prob": c.log_prob} for i, c in CAPTIONS.items()]


def test_csv_has_a_header_and_two_columns(tmp_path):
    rows = list(csv.reader(io.StringIO(written(tmp_path / "out.csv"), newline="")))
    assert rows == [["image_id", "caption"], *([i, c.text] for i, c in CAPTIONS.items())]


def test_a_name_that_is_no_text_is_escaped(tmp_path):
    strange = os.fsdecode(b"b\xe4r.jpg")
    for name in ("out.json", "out.jsonl", "out.csv"):
        with Writer(tmp_path / name) as writer:
            writer.write(strange, Caption("a bear"))
        assert r"b\udce4r.jpg" in (tmp_path / name).read_text("utf-8")


def test_nothing_is_written_where_no_file_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Writer(None) as writer:
        writer.write("a", Caption("a dog"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.txt", "out", "json"])
def test_another_suffix_is_refused(name):
    with pytest.raises(InputError) as error:
        Writer(Path(name))
    assert str(error.value) == f"--out is {name!r}; it takes a name that ends in .json, .jsonl or .csv"


def test_a_writer_that_never_started_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "out.json").write_text("{}")
    Writer(tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == "{}"


@pytest.mark.parametrize("suffix", ALL)
def test_rows_are_on_the_disk_as_soon_as_they_are_known_and_the_old_file_stays(tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    path.write_text("precious")
    with pytest.raises(KeyboardInterrupt), Writer(path) as writer:
        writer.write("a", Caption("a dog", None, -1.5))
        (row,) = (tmp_path / f"out.{suffix}.partial").read_text().splitlines()
        assert json.loads(row) == {"image_id": "a", "caption": "a dog", "log_prob": -1.5, "made_by": ""}
        raise KeyboardInterrupt
    assert path.read_text() == "precious" and (tmp_path / f"out.{suffix}.partial").exists()


@pytest.mark.parametrize("suffix", ALL)
def test_what_is_resumed_equals_what_never_stopped(tmp_path, suffix):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    written(whole)
    partial = tmp_path / f"out.{suffix}.partial"
    ids = list(CAPTIONS)
    for _ in range(2):  # a second stop too
        with pytest.raises(KeyboardInterrupt), Writer(path, resume=True, order=ids) as writer:
            todo = [image_id for image_id in ids if image_id not in writer.done]
            writer.write(todo[0], CAPTIONS[todo[0]])
            raise KeyboardInterrupt
        with partial.open("ab") as file:
            file.write(b'{"image_id": "c", "capt')  # as a kill leaves it
    with Writer(path, resume=True, order=ids) as writer:
        assert writer.done == {*ids[:2]}
        writer.write(ids[2], CAPTIONS[ids[2]])
    assert path.read_bytes() == whole.read_bytes() and not partial.exists()


def test_another_model_does_not_go_on(tmp_path):
    path = tmp_path / "out.json"
    with pytest.raises(KeyboardInterrupt), Writer(path, made_by="one") as writer:
        writer.write("a", Caption("a dog"))
        raise KeyboardInterrupt
    before = (tmp_path / "out.json.partial").read_bytes()
    with pytest.raises(InputError, match="another model or other decoding"), Writer(path, resume=True, made_by="two"):
        pass
    assert (tmp_path / "out.json.partial").read_bytes() == before and not path.exists()


def test_two_processes_do_not_share_a_file(tmp_path):
    with Writer(tmp_path / "out.csv") as first:
        first.write("a", Caption("a dog"))
        with pytest.raises(InputError, match="another process"), Writer(tmp_path / "out.csv"):
            pass
    assert (tmp_path / "out.csv").read_text().splitlines() == ["image_id,caption", "a,a dog"]


def test_a_link_in_the_place_of_the_file_of_lines_is_not_followed(tmp_path):
    (tmp_path / "out.json.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be written"), Writer(tmp_path / "out.json"):
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("suffix", ALL)
def test_nothing_to_say_is_an_empty_file_and_an_early_mistake_leaves_nothing(tmp_path, suffix):
    path = tmp_path / f"out.{suffix}"
    path.write_text("precious")
    with pytest.raises(InputError), Writer(path):
        raise InputError("a word that the model cannot say")
    assert path.read_text() == "precious" and list(tmp_path.iterdir()) == [path]
    with Writer(path):
        pass
    assert path.read_text().strip() == {"json": "{}", "jsonl": "", "csv": "image_id,caption"}[suffix]


def test_a_pipe_gets_its_text(tmp_path):
    os.mkfifo(tmp_path / "out.jsonl")
    reader = subprocess.Popen(["cat", str(tmp_path / "out.jsonl")], stdout=subprocess.PIPE, text=True)
    with Writer(tmp_path / "out.jsonl") as writer:
        writer.write("a", Caption("a dog"))
    assert json.loads(reader.communicate(timeout=20)[0])["caption"] == "a dog"
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_what_cannot_be_written_is_told(tmp_path):
    path = tmp_path / "none" / "out.csv"
    with pytest.raises(InputError, match=rf"^--out {path} cannot be written: No such file or directory"):
        Writer(path).__enter__()


@pytest.mark.parametrize("suffix", ALL)
def test_a_full_disk_keeps_the_old_file_and_says_what_goes_on(tmp_path, suffix):
    path, before = tmp_path / f"out.{suffix}", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_text("precious")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match=r"partial cannot be written: File too large.*--resume"), Writer(path) as w:
            for number in range(100):
                w.write(f"{number:020}", Caption("a dog"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "precious"
    with Writer(path, resume=True) as writer:
        assert 5 < len(writer.done) < 100


def command(*words, **more):
    code = "from showtell.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, text=True, **more)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_command_goes_on_to_the_file_that_it_would_have_written(tmp_path, frozen_run, how):
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    album = tmp_path / "album"
    album.mkdir()
    for number in range(40):
        for record in scenes(**settings):
            shutil.copy(record.path, album / f"{number}-{record.path.name}")
    words = ["caption", album, "--model", frozen_run, "--out"]
    assert command(*words, tmp_path / "whole.json").wait(timeout=200) == 0
    out, partial = tmp_path / "out.json", tmp_path / "out.json.partial"
    out.write_text("precious")
    stopped = command(*words, out)
    while not partial.exists() or not partial.stat().st_size:
        time.sleep(0.01)
    stopped.send_signal(how)
    said = stopped.communicate(timeout=100)[1]
    assert stopped.returncode == (-how if how is signal.SIGKILL else 130)
    assert str(partial) in said or how is signal.SIGKILL
    assert out.read_text() == "precious"
    other = command(*words, out, "--resume", "decode.num_beams=1")
    assert "another model or other decoding" in other.communicate(timeout=100)[1] and other.returncode == 2
    begun = len(partial.read_text().splitlines())
    assert command(*words, out, "--resume").wait(timeout=200) == 0
    assert out.read_bytes() == (tmp_path / "whole.json").read_bytes() and not partial.exists() and begun > 0
