"""The public doors: what they return is what the commands write, and none has the name of a room or a file."""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path

import pytest

import showtell
from showtell.plumbing.errors import InputError, RecipeError
from tests.small import RECIPE

CALLS = ["load", "load_recipe", "train", "evaluate", "score", "caption", "classify"]


def test_no_door_has_the_name_of_a_room_or_a_file():
    for module in pkgutil.iter_modules(showtell.__path__):
        assert module.name not in showtell.__all__
    importlib.import_module("showtell.recipe.check")
    importlib.import_module("showtell.scoring.evaluate")
    assert all(callable(getattr(showtell, name)) for name in CALLS)
    assert set(showtell.__all__) <= set(dir(showtell))


@pytest.mark.parametrize("name", showtell.__all__)
def test_every_door_opens(name):
    assert getattr(showtell, name) is not None


@pytest.mark.parametrize("name", CALLS)
def test_every_door_says_what_it_raises(name):
    assert "Raises" in inspect.getdoc(getattr(showtell, name))


def test_a_recipe_comes_with_every_default_and_no_data_is_looked_at():
    recipe = showtell.load_recipe("bern-6", ["encoder=lite", "data.root=no/such/folder"])
    assert recipe["encoder"] == {"name": "lite", **recipe["encoder"]}
    assert recipe["train"]["seed"] == 0 and recipe["decode"]["num_beams"] == 5
    assert showtell.load_recipe("bern-6", ["encoder=lite", "data.root=no/such/folder"]) == recipe
    with pytest.raises(RecipeError, match=r"bern-6"):
        showtell.load_recipe("bern-7")


def test_evaluate_returns_what_it_writes(frozen_run, tmp_path):
    found = showtell.evaluate(frozen_run, "val", ["evaluate.metrics=[BLEU-1]"], tmp_path / "out")
    assert found == json.loads((tmp_path / "out" / "scores-val.json").read_text())


def test_scores_of_files_are_those_of_what_they_hold(tmp_path):
    candidates = {"a.jpg": "a dog runs", "b.jpg": ""}
    references = {"a.jpg": ["a dog runs fast", "the dog"], "b.jpg": ["a cat"], "c.jpg": ["not asked for"]}
    for name, content in (("candidates", candidates), ("references", references)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    found = showtell.score(candidates, references, ["CIDEr-D", "BLEU"])
    assert found == showtell.score(tmp_path / "candidates.json", str(tmp_path / "references.json"), ["CIDEr-D", "BLEU"])
    assert set(found["per_image"]) == set(candidates) and 0 < found["scores"]["BLEU-1"]["value"] < 1
    with pytest.raises(InputError, match=r"z\.jpg"):
        showtell.score({"z.jpg": "a"}, references)


def test_caption_returns_one_text_for_each_photo_that_can_be_read(frozen_run, tmp_path):
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    photos = [record.path for record in showtell.DATA["scenes"](**settings)]
    (tmp_path / "bad.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"bad\.jpg"):
        found = showtell.caption([*photos[:2], tmp_path / "bad.jpg"], frozen_run, num_beams=1)
    assert list(found) == [path.name for path in photos[:2]]
    captioner = showtell.load(frozen_run)
    assert list(found.values()) == [caption.text for caption in captioner.caption(photos[:2], num_beams=1)]
    assert showtell.caption(str(photos[0]), captioner, num_beams=1) == {photos[0].name: found[photos[0].name]}
    with pytest.raises(RecipeError, match=r"decode\.num_beam "):
        showtell.caption(photos[0], captioner, num_beam=2)


@pytest.mark.slow
def test_train_takes_what_load_recipe_gives(tmp_path):
    recipe = showtell.load_recipe(
        "scenes", ["train.max_steps=1", "data.images=24", "data.val_images=4", "data.test_images=4"]
    )
    assert showtell.train(recipe, tmp_path / "run") == tmp_path / "run"
    assert Path(tmp_path / "run" / "model.safetensors").exists()
    with pytest.raises(InputError, match="--resume"):
        showtell.train(recipe, tmp_path / "run")
    assert showtell.train(recipe, tmp_path / "run", resume=True) == tmp_path / "run"
