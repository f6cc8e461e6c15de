"""The demo from end to end with small models: what it leaves, what it says, what it refuses."""

import importlib.util
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from showtell.demo import demo
from showtell.plumbing.errors import InputError
from tests.report.small import small_captioner

QUICK = [
    "data.images=24",
    "data.val_images=3",
    "data.test_images=5",
    "data.size=32",
    "encoder.image_size=32",
    "encoder.grid_size=4",
    "decoder.dim=8",
    "decoder.mlp_dim=12",
    "decoder.layers=1",
    "tokenizer.min_count=1",
    "decode.max_length=8",
    "train.max_steps=3",
    "train.batch_size=10",
]
with_photos = pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="scikit-image is not installed")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder of a demo, the page's path, what it printed)"""
    home = tmp_path_factory.mktemp("demo")
    small_captioner().save_pretrained(home / "model")
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOWTELL_CACHE", str(home / "cache"))
        console = Console(file=output, width=200)
        for _ in range(2):  # the second one replaces the first
            page = demo.run_demo(home / "out", console, model=home / "model", overrides=QUICK)
    return home / "out", page, output.getvalue()


@with_photos
@pytest.mark.slow
def test_it_leaves_a_page_a_run_and_a_summary(done):
    folder, page, _ = done
    assert sorted(path.name for path in folder.iterdir()) == ["demo.json", "report.html", "run"]
    assert page == folder / "report.html"
    summary = json.loads((folder / "demo.json").read_text("utf-8"))
    assert sorted(summary) == ["captions", "scene_accuracy", "scores", "seconds"]
    assert len(summary["captions"]) >= 6
    assert all(isinstance(caption, str) for caption in summary["captions"].values())
    assert 0 <= summary["scene_accuracy"] <= 1
    assert {"BLEU-4", "CIDEr-D"} <= set(summary["scores"])
    assert 0 < summary["seconds"] < 100


@with_photos
@pytest.mark.slow
def test_the_page_shows_photos_scenes_curves_and_where_words_looked(done):
    folder, page, _ = done
    html = page.read_text("utf-8")
    summary = json.loads((folder / "demo.json").read_text("utf-8"))
    assert all(name in html for name in summary["captions"])
    assert html.count('<div class="card looked">') == 4
    assert html.count('class="verdict wrong"') + html.count('class="verdict right"') >= 4
    assert "loss curves" in html
    assert f"showtell evaluate {folder / 'run'} --split test" in html
    assert "http" not in html.replace("http-equiv", "")


@with_photos
@pytest.mark.slow
def test_it_says_what_it_does_and_what_to_try_next(done):
    folder, _, said = done
    for part in ("1/3", "2/3", "3/3", "Try next:", "showtell caption PHOTO.jpg", f"--model {folder / 'run'}"):
        assert part in said


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError) as error:
        demo.run_demo(tmp_path)
    assert error.value.key == str(tmp_path) and "not an earlier demo" in str(error.value)
    assert "another folder with --out" in error.value.advice
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_of_other_data_is_left_alone(tmp_path):
    captioner = small_captioner(data={"name": "folder", "root": "."})
    captioner.save_pretrained(tmp_path / "run")
    with pytest.raises(InputError, match="is not an earlier demo"):
        demo.run_demo(tmp_path)
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_link_in_an_earlier_demo_goes_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("mine")
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "demo.json").write_text('{"scene_accuracy": 1}')
    (folder / "run").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    demo._clear(folder)
    assert not list(folder.iterdir()) and (tmp_path / "elsewhere" / "file").read_text() == "mine"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "demo").write_text("")
    with pytest.raises(InputError, match="demo exists and is not an earlier demo"):
        demo.run_demo(tmp_path / "demo")


def test_without_scikit_image_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        demo.run_demo(tmp_path / "demo")
    assert str(error.value) == (
        "scikit-image is not installed; the demo captions its photos: pip install 'showtell[demo]'"
    )
    assert not (tmp_path / "demo").exists()


def test_a_scikit_image_without_the_photos_is_named(monkeypatch, tmp_path):
    (tmp_path / "skimage").mkdir()
    (tmp_path / "skimage" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"scikit-image .* holds no photos in .*data; install .* 0.24"):
        demo.find_demo_photos()


@with_photos
def test_there_are_six_photos_at_least():
    paths = demo.find_demo_photos()
    assert len(paths) >= 6
    assert all(isinstance(path, Path) and path.is_file() for path in paths.values())
