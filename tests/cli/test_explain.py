"""`showtell explain` as a user meets it: files, words, checks, and one line for each mistake."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from showtell.cli import app
from tests.report.small import small_captioner

RUN = "model"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a model, an album of two photos, and nothing else; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    small_captioner().save_pretrained(tmp_path / RUN)
    (tmp_path / "album").mkdir()
    for number, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "album" / f"{name}.png")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, ["explain", *words, "--model", RUN])
    return result.exit_code, result.stdout, result.exception


def caption_of(here, name="a"):
    captioner = small_captioner()
    return captioner.caption([here / "album" / f"{name}.png"])[0].text.split()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["relevance", "attention", "occlusion"])
def test_every_method_writes_picture_numbers_and_page_directly_into_out(here, how):
    code, out, _ = run("album", "--how", how, "--out", "maps")
    assert code == 0 and out.splitlines()[-1] == "written: maps/explained.html"
    made = sorted(path.name for path in (here / "maps").iterdir())
    assert made == ["a.npz", "a.png", "b.npz", "b.png", "explained.html"]
    with np.load(here / "maps/a.npz") as arrays:
        assert str(arrays["how"]) == how


@pytest.mark.slow
def test_a_layer_and_a_head_of_attention(here):
    assert run("album/a.png", "--layer", "-1", "--head", "1", "--out", "one")[0] == 0
    assert run("album/a.png", "--layer", "0", "--head", "mean", "--out", "two")[0] == 0
    with np.load(here / "one/a.npz") as one, np.load(here / "two/a.npz") as two:
        assert str(one["manner"]) == "attention of the last layer, head 1"
        assert not np.allclose(one["maps"], two["maps"])


@pytest.mark.slow
def test_only_some_words(here):
    said = caption_of(here)
    code, out, _ = run("album/a.png", "--words", f"{said[0]}, {said[1]}", "--out", "maps")
    assert code == 0 and "written: maps/a.png" in out


@pytest.mark.slow
def test_words_that_one_caption_says_and_another_does_not(here, capfd):
    only = next((word for word in caption_of(here) if word not in caption_of(here, "b")), None)
    code, out, error = run("album", "--words", only or "giraffe", "--out", "maps")
    if only is None:
        assert code == 1 and error.key == "--words"
    else:
        assert code == 0 and "written: maps/a.png" in out and "maps/b.png" not in out


@pytest.mark.slow
def test_a_check_prints_the_table_and_writes_its_numbers(here):
    (here / "album/broken.png").write_bytes(b"none")
    code, out, _ = run("--check", "album", "--out", "maps")
    assert code == 3  # a photo cannot be read
    assert "deletion: these shares of the photo are masked" in out and "random" in out
    written = json.loads((here / "maps/check.json").read_text())
    assert written["photos"] == 2 and written["failed"].keys() == {"broken.png"}
    assert "--check" in run("--check", "album", "--how", "attention")[2].key
    assert run("--check", "album", "--out", "maps")[0] == 3  # its own file is replaced
    (here / "maps/check.json").write_text("[1, 2]")
    assert "check.json, which `showtell explain` did not write" in str(run("--check", "album", "--out", "maps")[2])


@pytest.mark.parametrize(
    ("words", "key", "told"),
    [
        (["album", "--how", "saliency"], "--how", "relevance, attention, occlusion"),
        (["album", "--how", "relevance", "--layer", "1"], "--layer", "attention"),
        (["album", "--layer", "9"], "--layer", "this model has 2 layers"),
        (["album", "--head", "some"], "--head", "the number of a head"),
        (["album", "--words", " , "], "--words", "words of the caption"),
        (["album", "--words", "giraffe"], "--words", "no caption says"),
        (["--check", "album", "album"], "--check", "only a folder"),
        ([], None, "no photo is given"),
        (["--check", "nowhere"], "nowhere", "does not exist"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(here, words, key, told):
    code, _, error = run(*words, "--out", "maps")
    assert code != 0 and error.key == key and told in str(error)
    assert "\n" not in str(error) and not (here / "maps").exists()


def test_a_folder_with_something_else_keeps_it(here):
    (here / "maps").mkdir()
    (here / "maps/a.png").write_bytes(b"a holiday")
    _, _, error = run("album", "--out", "maps")
    assert error.key == "--out" or "a.png, which `showtell explain` did not write" in str(error)
    assert (here / "maps/a.png").read_bytes() == b"a holiday" and len(list((here / "maps").iterdir())) == 1
