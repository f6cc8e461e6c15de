"""`showtell doctor` as people type it: what it prints, writes and returns, on clean sets and on broken ones."""

import functools
import io
import json
import os

import pytest
from PIL import Image
from rich.console import Console

from showtell.recipe.check import check
from showtell.settings.text import load_recipe
from showtell.training.loop import train
from tests.doctor.drawn import data_set, drawing

CAPTIONS = ["a brown dog runs over the grass", "the dog is running fast over grass"]


@pytest.fixture
def doctor(showtell):
    """`doctor(...)` -> (exit code, standard output, standard error)."""
    return functools.partial(showtell, "doctor")


@pytest.fixture
def clean(tmp_path):
    photos = [(f"{i}.jpg", split, drawing(i), CAPTIONS) for i, split in enumerate(["train"] * 4 + ["val", "test"])]
    return data_set(tmp_path / "set", photos)


@pytest.fixture
def broken(tmp_path):
    """One of everything that can be wrong."""
    captions = ["a cafÃ© with <b>tables</b> in it", "a small old café in the town"]
    photos = [(f"{i}.jpg", "train", drawing(i), CAPTIONS) for i in range(4)]
    photos += [("copy.png", "val", drawing(1).resize((200, 150)), captions), ("same.jpg", "test", None, CAPTIONS)]
    photos += [("empty.jpg", "train", None, CAPTIONS), ("text.jpg", "train", None, CAPTIONS)]
    photos += [("pipe.jpg", "train", None, CAPTIONS), ("folder.jpg", "train", None, CAPTIONS)]
    photos += [("gone.jpg", "val", None, CAPTIONS), ("a \"b\"\n'c'.jpg", "train", drawing(7), CAPTIONS)]
    photos += [("link.jpg", "train", None, CAPTIONS), (os.fsdecode(b"caf\xe9.png"), "train", drawing(8), CAPTIONS)]
    root = data_set(tmp_path / "set", photos)
    folder = root / "images"
    (folder / "same.jpg").write_bytes((folder / "2.jpg").read_bytes())
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no photo")
    (folder / "link.jpg").symlink_to("nowhere")
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    drawing(20).save(folder / "nobody.jpg")
    return root


def test_a_clean_set_has_nothing_to_mend(doctor, clean):
    code, out, err = doctor(clean)
    assert code == 0 and err == ""
    assert "6 of 6 photos can be read" in out
    assert "no copies" in out
    assert "100% of val's captions" in out and "(2 of 2)" in out
    assert out.endswith("TO DO\n  nothing to fix\n")


def test_everything_that_is_wrong_is_reported_with_advice(doctor, broken, tmp_path):
    code, out, _ = doctor(broken, "--out", tmp_path / "new" / "all.json")
    assert code == 3
    assert "1 photo in the same folders without captions" in out
    assert "train has copies of 1 of 1 val photo" in out and "train has copies of 1 of 1 test photo" in out
    todo = out[out.index("TO DO") :]
    for task in (
        "photos that cannot be read",
        "remove the copies of 1 val photo from train",
        "clean 1 caption in a wrong encoding",
        "clean 1 caption with markup",
    ):
        assert task in todo
    assert all(line.isprintable() for line in out.splitlines())
    found = json.loads((tmp_path / "new" / "all.json").read_text("ascii"))
    gone = [row["name"] for row in found["photos"]["unreadable"] + found["photos"]["left_out"]]
    assert sorted(gone) == ["empty.jpg", "folder.jpg", "gone.jpg", "link.jpg", "pipe.jpg", "text.jpg"]
    copies = {frozenset(p["image_id"] for p in group["photos"]): group["kind"] for group in found["copies"]}
    assert copies == {
        frozenset(["2.jpg", "same.jpg"]): "same file",
        frozenset(["1.jpg", "copy.png"]): "nearly the same",
    }
    assert found["photos"]["without_captions"] == [str(broken / "images" / "nobody.jpg")]
    assert found["to_do"] and found["vocabulary"]["at"][0]["min_count"] == 1


@pytest.mark.slow
def test_the_page_holds_the_copies_and_every_name_and_asks_nothing_of_the_network(doctor, broken, tmp_path):
    assert doctor(broken, "--out", tmp_path / "page.html")[0] == 3
    html = (tmp_path / "page.html").read_text("utf-8")
    assert html.count('<li class="card">') == 2 and html.count("across splits</p>") == 2
    for name in ("2.jpg (train) | same.jpg (test)", "empty.jpg", "pipe.jpg", "nobody.jpg", "how many captions have"):
        assert name in html
    assert "&lt;b&gt;tables" in html and "<b>tables" not in html
    assert "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(doctor, broken, monkeypatch, width):
    monkeypatch.setattr("showtell.cli.words.out._width", width)
    lines = doctor(broken)[1].splitlines()
    assert max(map(len, lines)) <= width
    assert any(len(line) > 60 for line in lines)


def test_a_recipe_is_examined_with_its_own_data(doctor, clean):
    code, out, _ = doctor("bern-6", f"data.root={clean}", "data=karpathy", "encoder=lite", "decode.max_length=6")
    assert code == 0
    assert "longer than decode.max_length=6 allows (4 words)" in " ".join(out.split())
    assert "1. set decode.max_length=9: more than 1 caption in 20" in out


def test_a_limit_that_few_captions_pass_is_never_to_be_lowered(doctor, clean):
    data = json.loads((clean / "dataset_drawn.json").read_text())
    data["images"][0]["sentences"] = [{"raw": "a dog"}] * 30 + [{"raw": "a dog " * 10}]
    (clean / "dataset_drawn.json").write_text(json.dumps(data))
    out = " ".join(doctor(clean, "decode.max_length=12")[1].split())
    assert "1 caption longer than decode.max_length=12 allows" in out
    assert "-> set decode.max_length=22, or" in out and "1 caption in 20" not in out


def test_a_recipe_that_says_captions_as_they_are_has_no_limit_to_tell(doctor, clean):
    code, out, _ = doctor("nearest", f"data.root={clean}")
    assert code == 0 and "longer than decode.max_length" not in out and "words long" in out


def test_a_folder_whose_form_is_named_stays_the_folder(doctor, clean):
    code, out, _ = doctor(clean, "data=karpathy", "data.file=dataset_drawn.json")
    assert code == 0 and "format: karpathy" in out


def test_a_bare_folder_of_photos_is_examined_too(doctor, tmp_path):
    for seed in (1, 2, 1):
        drawing(seed).save(tmp_path / f"{len(list(tmp_path.iterdir()))}.png")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    code, out, _ = doctor(tmp_path)
    assert code == 3
    assert "3 of 4 photos can be read" in out and "same file: 2 photos; 1 pair within a split" in out
    assert "CAPTIONS" not in out


def test_a_set_without_a_readable_photo_is_reported_too(doctor, tmp_path):
    (tmp_path / "a.jpg").touch()
    code, out, _ = doctor(tmp_path)
    assert code == 3 and "0 of 1 photo can be read" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere/at/all"], "error: nowhere/at/all: no such folder or recipe file"),
        (["~no-such-user"], "error: ~no-such-user: there is no such user"),
        (["bern-66"], "error: there is no recipe 'bern-66'; packaged are"),
        (["FOLDER", "--out", "page.pdf"], "error: --out is 'page.pdf'; it takes a name that ends in .html or .json"),
        (["FOLDER", "data.rot=1"], "error: data.rot is not an option of"),
        (["EMPTY"], "error: "),
    ],
)
def test_wrong_use_is_one_line(doctor, clean, tmp_path, words, told):
    (tmp_path / "empty").mkdir()
    places = {"FOLDER": clean, "EMPTY": tmp_path / "empty"}
    code, out, err = doctor(*(places.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert err.startswith(told) and len(err.splitlines()) == 1


@pytest.mark.slow
def test_training_says_who_lists_the_photos_that_it_leaves_out(broken, tmp_path):
    Image.new("RGB", (40, 40)).save(broken / "images" / "gone.jpg")
    small = ["encoder=lite", "encoder.image_size=32", "train.max_steps=1", "decoder.dim=8", "decoder.layers=1"]
    small += ["decoder.heads=2", "decoder.mlp_dim=12", "tokenizer.min_count=1", "decode.max_length=4"]
    said = io.StringIO()
    recipe = check(load_recipe("bern-6", ["data=karpathy", f"data.root={broken}", *small]))
    train(recipe, tmp_path / "run", console=Console(file=said, width=400))
    assert f"`showtell doctor {broken}` lists them" in said.getvalue()
