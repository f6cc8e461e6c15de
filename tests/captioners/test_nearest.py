"""The captioner without training, as a user meets it: built, resumed, scored, and damaged files told."""

import io
import json
import re

import pytest
import torch
from rich.console import Console
from torch import Tensor

from showtell import checkpoint
from showtell.captioners.nearest import NEIGHBOURS
from showtell.explain.explain import explain
from showtell.loading import load
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.training.loop import train
from tests.small import RECIPE


def recipe_of(**captioner):
    return check(
        {
            "captioner": {"name": "nearest"} | captioner,
            "data": RECIPE["data"],
            "encoder": {"name": "lite", "image_size": 64},
        }
    )


def built(run, resume=False, **captioner):
    """What building into `run` says."""
    said = io.StringIO()
    train(recipe_of(**captioner), run, resume, Console(file=said, width=200))
    return said.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nearest") / "run"
    built(folder)
    return folder


@pytest.fixture
def damaged(run, tmp_path):
    """A copy of the run to be damaged."""
    for path in run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_run_says_how_k_was_chosen_and_is_scored_like_any(run, tmp_path):
    said = built(tmp_path / "again")
    (chosen,) = re.findall(r"^k=(\d+): CIDEr-D [\d.]+ on held-out training photos <- chosen$", said, re.MULTILINE)
    signature = evaluate_run(tmp_path / "again", "val")["CIDEr-D"].signature
    assert f"|split val|nearest(k={chosen},scale=standardise)|seed 0" in signature  # no epoch was chosen on val
    for name in (checkpoint.MODEL, NEIGHBOURS, checkpoint.RECIPE):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes()


def test_a_caption_is_one_that_somebody_wrote_of_a_training_photo(run):
    records = build(recipe_of(), "data")
    written = {text for record in records if record.split == "train" for text in record.references}
    captions = load(run).caption([record.path for record in records if record.split != "train"])
    assert all(caption.text in written and caption.tokens is caption.log_prob is None for caption in captions)


def test_a_training_photo_with_one_neighbour_gets_one_of_its_own_captions(tmp_path):
    built(tmp_path / "run", k=1)
    records = [record for record in build(recipe_of(), "data") if record.split == "train"]
    for record, caption in zip(records, load(tmp_path / "run").caption([r.path for r in records]), strict=True):
        assert caption.text in record.references


def test_nothing_is_to_be_resumed(run, tmp_path):
    told = f"{run} is finished: captioner 'nearest' makes no steps, so there is nothing to resume\n"
    assert built(run, resume=True) == told
    with pytest.raises(
        InputError, match=re.escape(f"{run} exists; continue it with --resume, or choose another folder")
    ):
        built(run)
    with pytest.raises(InputError, match=re.escape(f"{run} was trained with captioner.k=None, not 3; resume with the")):
        built(run, resume=True, k=3)
    # Killed before the model was written, it is built.
    checkpoint.write_recipe(tmp_path, recipe_of())
    with pytest.raises(InputError, match=r"has no checkpoint.*without --resume"):
        built(tmp_path, resume=True)
    assert "starting again" in built(tmp_path)
    assert (tmp_path / checkpoint.MODEL).read_bytes() == (run / checkpoint.MODEL).read_bytes()


def test_it_explains_nothing(run):
    with pytest.raises(InputError, match=r"^captioner 'nearest' gives no probability to words"):
        explain(load(run), build(recipe_of(), "data")[0].path)


def test_an_encoder_that_trains_is_refused(tmp_path):
    recipe = recipe_of() | {"encoder": check({"encoder": {"name": "cnn"}, "data": RECIPE["data"]})["encoder"]}
    with pytest.raises(RecipeError, match=r"^encoder is 'cnn', .*frozen.*set encoder=lite"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def write_rest(folder, **changes):
    content = json.loads((folder / NEIGHBOURS).read_text()) | changes
    (folder / NEIGHBOURS).write_text(json.dumps(content))


def change(folder, name, how):
    tensors = checkpoint.read_tensors(folder / checkpoint.MODEL)
    checkpoint.write_tensors(folder / checkpoint.MODEL, tensors | {name: how(tensors[name])})


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / checkpoint.MODEL).unlink(), "/model.safetensors does not exist: "),
        (lambda folder: (folder / checkpoint.MODEL).write_bytes(b"x"), "/model.safetensors is damaged: "),
        (lambda folder: (folder / NEIGHBOURS).unlink(), "/neighbours.json does not exist"),
        (lambda folder: (folder / NEIGHBOURS).write_text("{"), "/neighbours.json is not JSON: "),
        (
            lambda folder: (folder / NEIGHBOURS).write_text("[]"),
            "/neighbours.json is damaged: captions must be",
        ),
        (
            lambda folder: write_rest(folder, captions=[["a"], [3]]),
            "/neighbours.json is damaged: captions must be",
        ),
        (
            lambda folder: write_rest(folder, captions=[["a"]], k=1),
            "/model.safetensors does not fit neighbours.json and",
        ),
        (lambda folder: write_rest(folder, k=0), "/neighbours.json is damaged: k is 0; it takes 1 to 24"),
        (lambda folder: write_rest(folder, k="3"), "/neighbours.json is damaged: k is '3'; it takes 1 to 24"),
        (lambda folder: write_rest(folder, k=True), "/neighbours.json is damaged: k is True; it takes 1 to 24"),
        (lambda folder: write_rest(folder, tried={"x": 1}), "/neighbours.json is damaged: tried must give a score"),
        (lambda folder: write_rest(folder, tried={"1": "x"}), "/neighbours.json is damaged: tried must give a score"),
        (
            lambda folder: change(folder, "centre", Tensor.bool),
            "/model.safetensors is damaged: centre has type torch.bool",
        ),
        (
            lambda folder: change(folder, "vectors", Tensor.int),
            "/model.safetensors is damaged: vectors has type torch.int",
        ),
        (
            lambda folder: change(folder, "deviation", Tensor.neg),
            "/model.safetensors is damaged: all numbers of deviation",
        ),
        (
            lambda folder: checkpoint.write_tensors(folder / checkpoint.MODEL, {"vectors": torch.zeros(24, 1280)}),
            "/model.safetensors does not fit neighbours.json and its recipe: centre is missing",
        ),
    ],
)
def test_damaged_files_are_told(damaged, damage, told):
    damage(damaged)
    with pytest.raises(InputError, match=f"^{re.escape(str(damaged) + told)}"):
        load(damaged)
