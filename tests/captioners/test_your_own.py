"""A captioner of your own: two methods, no encoder, no recipe, no tokenizer. Every command takes it."""

from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from showtell import checkpoint
from showtell.captioners import CAPTIONERS
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.cli import app
from showtell.data.scenes.scenes import scenes
from showtell.explain.explain import explain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.predict.captions import caption_photos
from showtell.scoring.compare import compare_runs
from showtell.scoring.evaluate import evaluate, evaluate_run
from tests.small import RECIPE

SCENES = {name: value for name, value in RECIPE["data"].items() if name != "name"}
DATA = ["data=scenes", *(f"data.{name}={value}" for name, value in SCENES.items())]


class ByName(Captioner):
    """Says a fixed sentence for each file name."""

    name = "by-name"

    def __init__(self, words="scene"):
        self.words = words

    def caption(self, images, **decode):
        return [Caption(f"a {self.words} called {Path(getattr(i, 'filename', i)).stem}") for i in images]

    def save_pretrained(self, folder, *, half=False):
        Path(folder).mkdir(parents=True, exist_ok=True)
        checkpoint.write_recipe(Path(folder), {"data": {"name": "scenes"}, "captioner": {"name": self.name}})

    @classmethod
    def read(cls, recipe, folder, build):
        return cls()


@pytest.fixture
def in_table(monkeypatch):
    monkeypatch.setitem(CAPTIONERS, ByName.name, ByName)


def photos(split="val"):
    return {record.image_id: record.path for record in scenes(**SCENES) if record.split == split}


def test_it_captions_photos_and_a_damaged_one_costs_only_itself(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    found = dict(caption_photos(ByName(), {**photos(), "bad.jpg": tmp_path / "bad.jpg"}))
    assert isinstance(found.pop("bad.jpg"), Unreadable)
    assert {image_id: caption.text for image_id, caption in found.items()} == {
        image_id: f"a scene called {path.stem}" for image_id, path in photos().items()
    }


def test_it_is_evaluated_and_compared(tmp_path):
    scores = evaluate(ByName(), "val", DATA, tmp_path / "scene")
    assert set(scores["scores"]["CIDEr-D"]) == {"value", "interval", "signature"}
    assert set(scores["per_image"]) == set(photos())
    assert "|by-name|" in scores["scores"]["CIDEr-D"]["signature"]
    evaluate_run(ByName("star heart circle"), "val", [*DATA, "evaluate.metrics=[CIDEr-D]"], out=tmp_path / "words")
    found = compare_runs(
        [tmp_path / "scene", tmp_path / "words"], "val", metrics=["CIDEr-D"], console=Console(quiet=True)
    )
    assert found.candidates["scene"] == {image_id: f"a scene called {path.stem}" for image_id, path in photos().items()}
    assert set(found.differences["CIDEr-D"]) == {"words"}


def test_a_captioner_of_the_table_is_loaded_by_every_command(tmp_path, in_table):
    ByName().save_pretrained(tmp_path / "model")
    run = CliRunner()
    path = next(iter(photos().values()))
    said = run.invoke(app, ["caption", str(path), "--model", str(tmp_path / "model")])
    assert (said.exit_code, said.stdout.strip()) == (0, f"{path.name}: a scene called {path.stem}")
    scored = run.invoke(app, ["evaluate", str(tmp_path / "model"), *DATA])
    assert scored.exit_code == 0, scored.output
    assert (tmp_path / "model" / "scores-val.json").exists()


def test_without_a_folder_its_scores_have_no_place():
    with pytest.raises(InputError, match="out=FOLDER"):
        evaluate(ByName(), "val", DATA)


def test_explain_says_that_it_looks_at_no_part_of_a_photo():
    with pytest.raises(InputError, match="by-name"):
        explain(ByName(), next(iter(photos().values())))
