"""Data as a recipe names it: sections inside `data.sets` are checked as any other, and a run remembers its set."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from showtell.plumbing.errors import RecipeError
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.settings.text import load_recipe, packaged_recipes
from showtell.training.loop import train
from tests.data.sets import SOUND, Photo, write
from tests.small import FROZEN, RECIPE, override

MISTAKES = {  # what is wrong, and a word of advice
    "[{name: csv, root: A}, {name: csv, root: A, sentence: first}]": (
        "data.sets[1].sentence is not an option of 'csv'; ",
        "(did you mean sentences?)",
    ),
    "[{name: cvs, root: A}]": ("data.sets[0].name is 'cvs'; it takes auto, ", "(did you mean csv?)"),
    "[A, {name: flickr}]": ("data.sets[1].root is missing: ", "give data.sets[1].root=VALUE"),
    "[{name: csv, root: A, sentences: frist}]": ("data.sets[0].sentences is 'frist'; ", "(did you mean first?)"),
    "[{name: join, sets: [{name: coco, root: A, years: 1}]}]": (
        "data.sets[0].sets[0].years is not an option of 'coco'; it takes root, ",
        "test_share",
    ),
    "A": ("data.sets is 'A'; ", "a list: [A]"),
}


@pytest.mark.parametrize("sets", MISTAKES)
def test_a_mistake_inside_of_a_set_is_told_where_it_stands(sets: str) -> None:
    wrong, advice = (re.escape(part) for part in MISTAKES[sets])
    with pytest.raises(RecipeError, match=f"^{wrong}.*{advice}$"):
        check(load_recipe("bern-6", ["data=join", f"data.sets={sets}"]))


def test_an_option_of_a_format_asks_for_its_name() -> None:
    told = "data.file is not an option of 'auto'; it takes root; to set a format's options"
    with pytest.raises(RecipeError, match=f"^{re.escape(told)}"):
        check(load_recipe("bern-6", ["data.file=x.csv"]))


def test_sets_are_filled_in_and_built(tmp_path: Path) -> None:
    one, two = write("flickr", tmp_path / "one", SOUND), write("csv", tmp_path / "two", SOUND)
    sets = f"[{one}, {{name: csv, root: {two}, sentences: first}}]"
    recipe = check(load_recipe("bern-6", ["data=join", f"data.sets={sets}"]))
    assert check(recipe) == recipe
    assert recipe["data"]["sets"][0] == {"name": "auto", "root": str(one)}
    assert recipe["data"]["sets"][1]["sentences"] == "first" and recipe["data"]["sets"][1]["delimiter"] is None
    assert [r.image_id for r in build(recipe, "data")] == [f"{k}/{p.name}" for k in ("one", "two") for p in SOUND]


@pytest.mark.parametrize("name", sorted(set(packaged_recipes()) - {"scenes"}))
@pytest.mark.parametrize("form", ["coco", "csv"])
def test_a_folder_alone_or_with_its_format_suits_every_recipe(name: str, form: str, tmp_path: Path) -> None:
    root = write(form, tmp_path / "set", SOUND)
    for overrides in ([f"data.root={root}"], [f"data={form}", f"data.root={root}"]):
        assert len(build(check(load_recipe(name, overrides)), "data")) == 4


@pytest.mark.slow
def test_training_and_evaluation_say_what_the_set_was_taken_for_and_need_no_option(tmp_path: Path) -> None:
    photos = [Photo(f"{number}.jpg", "train", ("A dog runs.", "A dog.")) for number in range(4)]
    photos += [Photo("v.jpg", "val", ("A cat.",)), Photo("gone.jpg", "train", ("A bird.",))]
    root = write("csv", tmp_path / "set", photos, missing=["gone.jpg"])
    recipe = check(override(RECIPE, ["data=auto", f"data.root={root}", *FROZEN, "train.max_steps=2"]))
    told = io.StringIO()
    train(recipe, tmp_path / "run", console=Console(file=told, width=80))
    assert "data: csv: train.csv, val.csv, test.csv\n" in told.getvalue()
    assert "skipped: 1 no such photo (first: gone.jpg)\n" in told.getvalue()
    said = io.StringIO()
    scores = evaluate_run(tmp_path / "run", "val", console=Console(file=said, width=80))
    assert "data: csv: train.csv, val.csv, test.csv\n" in said.getvalue()
    assert "|data csv|" in scores["BLEU-1"].signature
    assert json.loads((tmp_path / "run/captions-val.json").read_text("utf-8")).keys() == {"v.jpg"}
