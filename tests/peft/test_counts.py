"""Trainable parameters in GPT-2 small, counted without memory: the papers' and the course's own numbers."""

import pytest
import torch

from showtell.decoders.gpt2 import GPT2
from showtell.peft import PEFT
from showtell.peft.freeze import inserted
from showtell.recipe.check import check
from showtell.recipe.tables import options
from showtell.settings.text import load_recipe

VIT_L, WORDS = 1024, 50257


def small(**changes):
    with torch.device("meta"):
        return GPT2(VIT_L, WORDS, weights="random", **changes)


def tune(decoder, way, **tuning):
    with torch.device("meta"):
        PEFT[way](decoder, **tuning)
    return decoder


def count(decoder, chosen=lambda name, parameter: True):
    return sum(p.numel() for name, p in decoder.named_parameters() if chosen(name, p))


def test_the_language_model_and_its_cross_attention():
    decoder = small()
    new = decoder.language.new
    image = count(decoder, lambda name, p: name.startswith("visual."))
    cross = count(decoder, lambda name, p: name.startswith(new) and not name.startswith("visual."))
    assert count(decoder) - image - cross == 124_439_808
    assert cross == 28_366_848
    assert image == 787_200 + 2 * 768  # the map of 1,024 channels, and its layer norm


@pytest.mark.parametrize(("width", "millions"), [(768, 28.4), (192, 7.1), (96, 3.5)])
def test_narrow_cross_attention(width, millions):
    decoder = small(cross_dim=width)
    assert count(decoder, lambda name, p: "cross_attention" in name) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(
    ("way", "tuning", "wanted"),
    [
        ("adapter", {"width": 32, "places": "mlp"}, 599_424),
        ("adapter", {"width": 128}, 4_740_096),
        ("lora", {"rank": 4}, 147_456),
        ("lora", {"rank": 32, "targets": ("all",)}, 4_718_592),
        ("prefix", {"length": 20}, 368_640),
        ("prefix", {"length": 20, "hidden": 768}, 14_780_160),
    ],
)
def test_what_is_inserted(way, tuning, wanted):
    assert count(tune(small(), way, **tuning), lambda name, p: inserted(name)) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("taipei-adapter", 33_895_680), ("taipei-prefix", 29_745_408), ("taipei-lora", 33_874_176)],
)
def test_the_recipes_of_taipei_stay_below_35_million(name, wanted):
    recipe = check(load_recipe(name))
    tuning = options(recipe, "peft")
    decoder = tune(small(), recipe["peft"]["name"], **tuning)
    trains = count(decoder, lambda name, p: p.requires_grad)
    assert trains == wanted < recipe["train"]["max_trainable"] == 35_000_000
