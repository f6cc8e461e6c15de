"""Every packaged recipe builds, trains two steps and captions, offline and on scenes, with nothing else changed."""

import json
import re
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from showtell.loading import load
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.settings.text import load_recipe, packaged_recipes
from showtell.training.loop import train
from tests.captioners.huggingface.tiny import folder as foreign
from tests.language import tiny_language_model

DATA = ["data=scenes", "data.images=16", "data.val_images=4", "data.test_images=2"]
SHORT = ["train.max_steps=2", "decode.max_length=16", "decode.min_length=0"]
SMALL = {"words": ["tokenizer.min_count=1"], "sentencepiece": ["tokenizer.vocabulary_size=60"]}


def offline(recipe: str) -> list[str]:
    """`encoder=lite` if the recipe's own encoder would ask a model hub; small pictures either way.

    A recipe with a language model says in its second line how it runs offline, here with a tiny model for smollm2.
    """
    if recipe == "huggingface":
        return [f"captioner.model={foreign('git')}", "decode.max_length=8"]
    if line := re.search("^# Offline: (.+)$", packaged_recipes()[recipe], re.MULTILINE):
        model = tiny_language_model()
        given = [word.replace("smollm2", model) for word in shlex.split(line[1])]
        named = {word.partition("=")[0] for word in given}
        given += [f"{key}={model}" for key in ("decoder.model", "tokenizer.model") if key not in named]
        return ["encoder.image_size=64", *given]
    own = load_recipe(recipe)["encoder"]
    if own["name"] == "concat":
        return [f"encoder.parts={json.dumps([part | {'image_size': 64} for part in own['parts']])}"]
    return ["encoder.image_size=64", *(["encoder=lite"] if own["name"] == "timm" else [])]


# One of each kind, and what is trained in a second; the others are slow tests.
FAST = {
    "bern-6",
    "lyon",
    "nearest",
    "huggingface",
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in FAST)) for n in packaged_recipes()]
)
def test_it_trains_two_steps_and_captions(name: str, tmp_path: Path) -> None:
    neural = load_recipe(name).get("captioner", {}).get("name", "neural") == "neural"
    own = load_recipe(name)
    changes = [*SHORT, *SMALL.get(own["tokenizer"]["name"], [])] if neural else []
    recipe = check(load_recipe(name, [*DATA, *changes, *offline(name)]))
    run = train(recipe, tmp_path / "run", console=Console(quiet=True))
    photos = [record.path for record in build(recipe, "data") if record.split == "test"]
    captions = load(run).caption(photos)
    assert [len(caption.tokens or []) <= 16 for caption in captions] == [True, True]
    assert all((caption.log_prob < 0) if neural else caption.text for caption in captions)
