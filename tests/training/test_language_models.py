"""Training with a language model: small files, resuming bit for bit, budgets, two learning rates, starting anew."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from showtell.data.scenes.scenes import scenes
from showtell.loading import load
from showtell.plumbing.errors import InputError, RecipeError
from showtell.predict.captions import caption
from showtell.recipe.check import check
from showtell.recipe.fixed import Train
from showtell.training import loop
from showtell.training.budget import trainable_parts
from showtell.training.optimizer import make_optimizer
from tests.language import tiny_language_model
from tests.small import FROZEN, RECIPE, train_small

WAYS = {
    "none": [],
    "adapter": ["peft.width=3"],
    "prefix": ["peft.length=3"],
    "prompt": ["peft.length=3"],
    "lora": ["peft.rank=2", "peft.targets=[all]"],
    "all": [],
}


def changes(way="lora", decoder="language_model", **more):
    model = tiny_language_model("gpt2")
    found = [*FROZEN, "tokenizer=pretrained", f"tokenizer.model={model}", f"decoder={decoder}"]
    found += [f"decoder.{'weights' if decoder == 'gpt2' else 'model'}={model}"]
    return [*found, f"peft={way}", *WAYS[way], "train.batch_size=19", "train.epochs=1", "train.lr=0.01"]


class Stop(Exception):
    """As sudden as a kill."""


def stopped_after(step, run, options):
    save = loop.Job.save

    def stopping(job):
        save(job)
        if job.where.step == step:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Job, "save", stopping)
        with pytest.raises(Stop):
            train_small(run, *options)


@pytest.fixture(scope="module")
def photos():
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    return [record.path for record in scenes(**settings) if record.split == "test"]


def tensors(run, name="model"):
    return load_file(Path(run) / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["language_model", "gpt2"])
@pytest.mark.parametrize("way", WAYS)
def test_a_run_saves_only_what_it_trained_and_captions_when_it_is_loaded(tmp_path, way, decoder, photos):
    train_small(tmp_path / "run", *changes(way, decoder), "train.max_steps=3")
    saved = tensors(tmp_path / "run")
    own = {name for name in saved if name.startswith("decoder.")}
    words = [name for name in own if name.endswith(("wte.weight", "words.weight"))]
    assert bool(words) == (way == "all")
    assert len(caption(photos, tmp_path / "run")) == len(photos)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["language_model", "gpt2"])
@pytest.mark.parametrize("way", ["lora", "adapter", "prefix", "all"])
def test_a_resumed_run_equals_one_that_was_never_stopped(tmp_path, way, decoder):
    options = [*changes(way, decoder), "peft.dropout=0.2"] if way in ("lora", "adapter") else changes(way, decoder)
    train_small(tmp_path / "whole", *options, "train.max_steps=6", "train.save_every=2")
    stopped_after(4, tmp_path / "cut", [*options, "train.max_steps=6", "train.save_every=2"])
    train_small(tmp_path / "cut", *options, "train.max_steps=6", "train.save_every=2", resume=True)
    whole, cut = tensors(tmp_path / "whole"), tensors(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    for name in whole:
        assert torch.equal(whole[name], cut[name]), name


@pytest.mark.slow
def test_a_budget_stops_before_anything_is_written_and_says_where_the_parameters_are(tmp_path):
    with pytest.raises(RecipeError) as caught:
        train_small(tmp_path / "run", *changes(), "train.max_trainable=1000")
    assert caught.value.key == "train.max_trainable" and not (tmp_path / "run").exists()
    train_small(tmp_path / "run", *changes(), "train.max_trainable=100000", "train.max_steps=1")
    parts = trainable_parts(load(tmp_path / "run"))
    lora = {name: counts for name, counts in parts.items() if ".lora" in name}
    assert len(lora) == 4 and all(trains == total for trains, total in lora.values())
    assert sum(trains for name, (trains, _) in parts.items() if ".lora" not in name and "visual" not in name) == 0


@pytest.mark.slow
def test_pretrained_weights_have_a_rate_of_their_own(tmp_path):
    train_small(tmp_path / "run", *changes("all"), "train.pretrained_lr=1e-4", "train.max_steps=1")
    captioner = load(tmp_path / "run")
    groups = make_optimizer(captioner, Train(lr=1e-2, pretrained_lr=1e-4)).param_groups
    scales = {id(p): group["scale"] for group in groups for p in group["params"]}
    decoder = captioner.decoder
    assert scales[id(decoder.model.get_input_embeddings().weight)] == pytest.approx(0.01)
    assert {scales[id(p)] for p in decoder.visual.parameters()} == {1.0}


@pytest.mark.slow
def test_lora_may_start_from_a_run_of_a_map_alone(tmp_path):
    train_small(tmp_path / "map", *changes("none"), "train.max_steps=3")
    train_small(tmp_path / "lora", *changes("lora"), f"train.start={tmp_path / 'map'}", "train.max_steps=1")
    assert any(".lora." in name for name in tensors(tmp_path / "lora"))


@pytest.mark.slow
def test_lora_refuses_a_run_that_trained_what_it_would_freeze(tmp_path):
    """The frozen weights come back from their source when the run is loaded, not from the run it started with."""
    train_small(tmp_path / "all", *changes("all"), "train.max_steps=1")
    with pytest.raises(InputError, match=r"train\.start"):
        train_small(tmp_path / "lora", *changes("lora"), f"train.start={tmp_path / 'all'}")


@pytest.mark.slow
def test_another_model_in_the_same_place_is_noticed(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(tiny_language_model("gpt2"), model)
    options = [*FROZEN, "tokenizer=pretrained", f"tokenizer.model={model}", "decoder=language_model"]
    options += [f"decoder.model={model}", "peft=none", "train.max_steps=3", "train.save_every=2"]
    stopped_after(2, tmp_path / "run", options)
    weights = load_file(model / "model.safetensors")
    weights["transformer.wpe.weight"] += 1
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="pretrained parts"):
        train_small(tmp_path / "run", *options, resume=True)


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("peft.rank=0", "peft.rank"),
        ("peft.targets=[words]", "peft.targets"),
        ("peft.trainable=[nothing]", "peft.trainable"),
        ("peft=loar", "peft.name"),
        ("peft.width=3", "peft.width"),
    ],
)
def test_mistakes_are_refused_before_a_folder_is_made(tmp_path, override, key):
    with pytest.raises(RecipeError) as caught:
        train_small(tmp_path / "run", *changes(), override)
    assert caught.value.key == key and not (tmp_path / "run").exists()


def test_peft_needs_a_language_model(tmp_path):
    with pytest.raises(RecipeError, match="no language model"):
        train_small(tmp_path / "run", *FROZEN, "decoder=attend", "peft=lora")


def test_a_recipe_without_the_section_trains_all():
    assert check({"data": {"root": "x"}})["peft"] == {"name": "all"}


@pytest.mark.slow
def test_freezing_weights_that_are_drawn_at_random_is_reported(tmp_path):
    options = ["decoder=gpt2", "decoder.weights=random", "decoder.dim=8", "decoder.heads=2", "decoder.layers=1"]
    said = train_small(tmp_path / "run", *FROZEN, *options, "peft=lora", "train.max_steps=1")
    assert "peft=lora freezes weights that are drawn at random" in " ".join(said.split())
    said = train_small(tmp_path / "all", *FROZEN, *options, "train.max_steps=1")
    assert "drawn at random" not in said
