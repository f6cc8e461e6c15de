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
from typer.testing import CliRunner

import showtell
from showtell.captioners.caption import Caption
from showtell.cli import app
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
        known = {"image_id": "a", "caption": "a dog", "log_prob": -1.5}
        assert json.loads(row) == known | {"photo": None, "made_by": ""}
        raise KeyboardInterrupt
    assert path.read_text() == "precious" and (tmp_path / f"out.{suffix}.partial").exists()


@pytest.mark.parametrize("suffix", ALL)
def test_what_is_resumed_equals_what_never_stopped(tmp_path, suffix):
    whole, path = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    written(whole)
    partial = tmp_path / f"out.{suffix}.partial"
    ids = list(CAPTIONS)
    photos = dict.fromkeys(ids, tmp_path / "none")
    for _ in range(2):  # a second stop too
        with pytest.raises(KeyboardInterrupt), Writer(path, resume=True, photos=photos) as writer:
            todo = [image_id for image_id in ids if image_id not in writer.done]
            writer.write(todo[0], CAPTIONS[todo[0]])
            raise KeyboardInterrupt
        with partial.open("ab") as file:
            file.write(b'{"image_id": "c", "capt')  # as a kill leaves it
    with Writer(path, resume=True, photos=photos) as writer:
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


def stopped(path, *image_ids, **more):
    """A file of lines, as a stop leaves it."""
    with pytest.raises(KeyboardInterrupt), Writer(path, **more) as writer:
        for image_id in image_ids:
            writer.write(image_id, Caption(f"old {image_id}"))
        raise KeyboardInterrupt
    return path.with_name(f"{path.name}.partial")


def test_a_photo_that_was_replaced_since_is_captioned_again_and_one_not_asked_for_is_skipped(tmp_path):
    photos = {name: tmp_path / name for name in ("a", "b", "c")}
    for name, photo in photos.items():
        photo.write_text(name)
    stopped(tmp_path / "out.json", *photos, photos=photos)
    photos.pop("c")
    photos["b"].write_text("another photo")
    with Writer(tmp_path / "out.json", resume=True, photos=photos) as writer:
        assert writer.done == {"a"}
        writer.write("b", Caption("new b"))
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": "old a", "b": "new b"}


def test_another_album_does_not_go_on(tmp_path):
    partial = stopped(tmp_path / "out.json", "a", photos={"a": tmp_path / "a"})
    before = partial.read_bytes()
    with pytest.raises(InputError, match=r"other photos.*--resume"):
        Writer(tmp_path / "out.json", resume=True, photos={"z": tmp_path / "z"}).__enter__()
    assert partial.read_bytes() == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("content", ["my own notes", "my own notes\nof two lines\n", "{}\n"])
def test_a_file_of_somebody_else_with_that_name_stays(tmp_path, content, resume):
    partial = tmp_path / "out.csv.partial"
    partial.write_text(content)
    with pytest.raises(InputError, match=f"^{partial} .*move it away"):
        Writer(tmp_path / "out.csv", resume=resume).__enter__()
    assert partial.read_text() == content


def test_a_damaged_line_costs_its_caption_only(tmp_path):
    partial = stopped(tmp_path / "out.jsonl", "a", "b", "c")
    lines = partial.read_text().splitlines(keepends=True)
    partial.write_text(lines[0] + lines[1].replace("old b", 'old " b') + lines[2])
    with Writer(tmp_path / "out.jsonl", resume=True) as writer:
        assert writer.done == {"a", "c"}
        writer.write("b", Caption("new b"))
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3


def test_only_a_writer_that_throws_captions_away_says_so(tmp_path):
    stopped(tmp_path / "out.json", "a")
    with Writer(tmp_path / "out.json") as writer:
        assert writer.replaced and not writer.done
    with Writer(tmp_path / "out.json") as writer:
        assert not writer.replaced


@pytest.mark.slow
def test_two_networks_with_one_recipe_do_not_go_on_for_each_other(frozen_run):
    import torch

    for part in ("encoder", "decoder"):
        captioner = showtell.load(frozen_run)
        before = captioner.fingerprint
        assert before == showtell.load(frozen_run).fingerprint
        with torch.no_grad():
            next(getattr(captioner, part).parameters()).add_(1)
        assert captioner.fingerprint != before


def test_a_link_in_the_place_of_the_file_of_lines_is_not_followed(tmp_path):
    (tmp_path / "out.json.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be written"), Writer(tmp_path / "out.json"):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_in_the_place_of_the_file_of_lines_is_refused(tmp_path):
    os.mkfifo(tmp_path / "out.json.partial")
    with pytest.raises(InputError, match="not an ordinary file"):
        Writer(tmp_path / "out.json").__enter__()


def test_a_folder_and_a_full_device_are_refused_before_a_photo_is_captioned(tmp_path):
    (tmp_path / "out.json").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        Writer(tmp_path / "out.json")
    (tmp_path / "out.csv").symlink_to("/dev/full")
    with pytest.raises(InputError, match="cannot be written: No space left"):
        Writer(tmp_path / "out.csv").__enter__()
    assert (tmp_path / "out.csv").is_symlink() and Path("/dev/full").is_char_device()


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


@pytest.mark.parametrize("suffix", ALL)
def test_a_pipe_gets_the_same_text_and_rows_as_soon_as_they_are_known(tmp_path, suffix):
    pipe = tmp_path / f"out.{suffix}"
    whole = written(tmp_path / f"whole.{suffix}")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    early = ""
    with Writer(pipe) as writer:
        for image_id, caption in CAPTIONS.items():
            writer.write(image_id, caption)
            while suffix != "json" and caption.text[:5] not in early:
                early += os.read(reader.stdout.fileno(), 10_000).decode()
    assert early + reader.communicate(timeout=20)[0].decode() == whole
    assert {path.name for path in tmp_path.iterdir()} == {pipe.name, f"whole.{suffix}"}


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


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.fixture(scope="session")
def album(tmp_path_factory):
    """240 photos, which take long enough to be stopped at."""
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    folder = tmp_path_factory.mktemp("album")
    for record in scenes(**settings):
        for number in range(240 // 36 + 1):
            shutil.copy(record.path, folder / f"{number}-{record.path.name}")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL", "full disk"])
def test_a_stopped_command_goes_on_to_the_file_that_it_would_have_written(tmp_path, frozen_run, album, how, suffix):
    words = ["caption", album, "--model", frozen_run, "--out"]
    out, partial = tmp_path / f"out.{suffix}", tmp_path / f"out.{suffix}.partial"
    out.write_text("precious")
    job = command(*words, out, preexec_fn=small_files if how == "full disk" else None)
    if how != "full disk":
        while not partial.exists() or not partial.stat().st_size:
            time.sleep(0.01)
        job.send_signal(getattr(signal, how))
    said = job.communicate(timeout=100)[1]
    code = {"SIGKILL": -signal.SIGKILL, "full disk": 2}.get(how, 130)
    assert job.returncode == code, said
    assert out.read_text() == "precious" and (begun := partial.read_text().count("\n"))
    if how != "SIGKILL":
        assert f"{partial} keeps " in said and f"--out {out} --resume" in said
    other = command(*words, out, "--resume", "decode.num_beams=1")
    assert "another model or other decoding" in other.communicate(timeout=100)[1] and other.returncode == 2
    goes_on = command(*words, out, "--resume")
    said = goes_on.communicate(timeout=200)[1]
    assert goes_on.returncode == 0 and f"resuming: {begun} of " in said
    assert command(*words, tmp_path / f"whole.{suffix}").wait(timeout=200) == 0
    assert out.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes() and not partial.exists()


@pytest.mark.slow
def test_a_photo_that_could_not_be_read_is_tried_again(tmp_path, frozen_run, album):
    photos = tmp_path / "photos"
    photos.mkdir()
    good = sorted(album.iterdir())[:2]
    shutil.copy(good[0], photos / "a.png")
    (photos / "b.png").write_text("no photo")
    words = [str(word) for word in ("caption", photos, "--model", frozen_run, "--out", tmp_path / "out.json")]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 3 and list(json.loads((tmp_path / "out.json").read_text())) == ["a.png"]
    stopped(
        tmp_path / "out.json",
        "a.png",
        made_by=showtell.load(frozen_run).fingerprint,
        photos={"a.png": photos / "a.png"},
    )
    shutil.copy(good[1], photos / "b.png")
    second = CliRunner().invoke(app, [*words, "--resume"])
    assert second.exit_code == 0 and "resuming: 1 of 2" in second.stderr
    captions = json.loads((tmp_path / "out.json").read_text())
    assert captions["a.png"] == "old a.png" and captions["b.png"]


def test_resume_needs_a_file(album):
    found = CliRunner().invoke(app, ["caption", str(album), "--resume"])
    assert isinstance(found.exception, InputError) and "--out" in str(found.exception)
