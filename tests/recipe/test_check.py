"""Checked recipes: every packaged one is right as it is and offline, and every mistake has its own words."""

import re
from typing import Literal

import pytest
import yaml

import showtell
from showtell.captioners import CAPTIONERS
from showtell.data import DATA
from showtell.decode import STRATEGIES
from showtell.decoders import DECODERS, Transformer
from showtell.encoders import ENCODERS
from showtell.losses import LOSSES
from showtell.metrics import METRICS
from showtell.peft import PEFT
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build, build_encoder
from showtell.recipe.check import check
from showtell.recipe.fixed import Evaluate, Train
from showtell.recipe.rules import trains
from showtell.recipe.tables import PARTS, absent, options, part
from showtell.regions import REGIONS
from showtell.settings.text import load_recipe, packaged_recipes, read_yaml
from showtell.tokenizers import TOKENIZERS, Words

SECTIONS = "data, encoder, regions, tokenizer, decoder, peft, loss, decode, captioner, train, evaluate"


def checked(*overrides):
    return check(load_recipe("bern-6", overrides))


@pytest.mark.parametrize("overrides", [[], ["encoder=lite"], ["train.seed=3"], ["data=scenes"]], ids=str)
@pytest.mark.parametrize("name", list(packaged_recipes()))
def test_every_packaged_recipe_is_right(name, overrides):
    captioner = load_recipe(name).get("captioner", {}).get("name", "neural")
    applies = [item for item in overrides if item.partition("=")[0] not in absent(captioner)]
    recipe = check(load_recipe(name, applies))
    assert list(recipe) == [s for s in SECTIONS.split(", ") if trains(recipe) or s not in absent(captioner)]
    assert check(recipe) == recipe
    assert read_yaml(yaml.safe_dump(recipe, sort_keys=False)) == recipe


@pytest.mark.parametrize("name", list(packaged_recipes()))
def test_a_packaged_recipe_says_in_its_first_line_what_it_is(name):
    assert packaged_recipes()[name].startswith("# ")


def test_every_option_is_filled_in():
    recipe = checked("decoder.layers=2", "train.milestones=[3, 5]")
    assert recipe["decoder"]["layers"] == 2 and recipe["decoder"]["dim"] == 256
    assert recipe["train"]["milestones"] == [3, 5] and recipe["train"]["batch_size"] == 64
    assert recipe["evaluate"]["batch_size"] == 64


def test_sections_that_a_recipe_leaves_out_have_their_usual_part():
    recipe = check({"data": {"root": "photos"}})
    names = {section: recipe[section]["name"] for section in PARTS}
    usual = {"encoder": "lite", "tokenizer": "words", "decoder": "transformer", "decode": "beam", "captioner": "neural"}
    assert names == {"data": "auto", "regions": "none", "loss": "cross_entropy", "peft": "all"} | usual


def test_the_chosen_parts_are_those_of_the_tables():
    recipe = checked("encoder=lite")
    chosen = [part(recipe, section) for section in PARTS]
    tables = [DATA, ENCODERS, REGIONS, TOKENIZERS, DECODERS, PEFT, LOSSES, STRATEGIES, PARTS["captioner"]]
    names = [recipe["data"]["name"], "lite", "none", "words", "transformer", "all", "cross_entropy", "beam", "neural"]
    assert chosen == [table[name] for table, name in zip(tables, names, strict=True)]


def test_options_have_the_types_of_the_signature():
    recipe = checked("train.milestones=[3]", "train.lr=1")
    assert Train(**options(recipe, "train")).milestones == (3,)
    assert Evaluate(**options(recipe, "evaluate")).metrics == ("standard", "hidden")
    assert type(options(recipe, "train")["lr"]) is float


def test_parts_are_built_with_their_arguments_and_options():
    recipe = checked("tokenizer.min_count=3", "decoder.dim=8", "decoder.heads=2", "decoder.sees=pooled")
    words, decoder = build(recipe, "tokenizer"), build(recipe, "decoder", 6, 11)
    assert isinstance(words, Words) and words.min_count == 3
    assert isinstance(decoder, Transformer)
    assert (decoder.words.weight.shape, decoder.sees) == ((11, 8), "pooled")


def test_a_part_of_your_own_is_one_line(monkeypatch):
    def mine(decoder, features, special, *, strength: int = 3, mode: Literal["soft", "hard"] = "soft"): ...

    monkeypatch.setitem(STRATEGIES, "mine", mine)
    assert checked("decode=mine", "decode.mode=hard")["decode"] == {"name": "mine", "strength": 3, "mode": "hard"}


WHOLE, COPIES = "a whole number", "all training captions"
MISTAKES = {  # an override -> a word of what is said, and the nearest name
    "encodr.name=lite": ("is not a section", "encoder"),
    "x.y=1": (SECTIONS, None),
    "encodr=lite": ("is not a section", "encoder"),
    "epochs=3": ("is not a section", "train.epochs"),
    "num_beam=3": ("is not a section", "decode.num_beams"),
    "max_length=9": ("is not a section", "decoder.max_length or decode.max_length"),
    "encoder=lit": ("it takes cnn, timm, lite, clip, concat", "lite"),
    "encoder={name: lite}": ("it takes cnn", None),
    "encoder=[lite]": ("it takes cnn", "lite"),
    "encoder=null": ("it takes cnn", None),
    "decode.num_beam=3": ("is not an option of 'beam'; it takes num_beams, length_penalty, ", "num_beams"),
    "tokenizer.size=3": ("is not an option of 'words'; it takes min_count, max_words, prompt", None),
    "evaluate.name=3": ("is not an option of 'evaluate'; it takes metrics, ", None),
    "decoder.conditioning=croos": ("'transformer' takes prefix, cross", "cross"),
    "decoder.conditioning=first_token": ("'transformer' takes prefix, cross", None),
    "decoder.sees=3": ("'transformer' takes tokens, pooled", None),
    "encoder.trainable=al": ("'timm' takes none, all, a whole number", "all"),
    "train.select=cider": (", ".join(["loss", *METRICS]), "CIDEr"),
    "decoder.layers=two": (WHOLE, None),
    "decoder.layers=2.5": (WHOLE, None),
    "decoder.layers=null": (WHOLE, None),
    "decoder.layers=0": ("1 or more", None),
    "decoder.dropout=1": ("a number below 1", None),
    "decoder.dropout=-0.1": ("0 or more", None),
    "train.lr=fast": ("a number", None),
    "train.lr=0": ("a number above 0", None),
    "train.lr=.inf": ("a finite number", None),
    "train.seed=-1": ("0 or more", None),
    "train.milestones=3": ("a list: [3]", None),
    "train.milestones=[a]": (f"a list in which each is {WHOLE}", None),
    "train.milestones=[0]": ("a list in which each is 1 or more", None),
    "train.epochs=true": (WHOLE, None),
    "train.lr=false": ("a number", None),
    "encoder.trainable=true": ("'timm' takes none, all, a whole number", None),
    "loss.truth=1.2": ("1 or less", None),
    "loss.samples=60000": ("50000 or less", None),
    "decode.must=[1]": ("a list in which each is text", None),
    "decode.must=red": ("a list: [red]", None),
    "decode.must={red: 1}": ("a list", None),
    "loss.reward={vocabulary: 1}": ("a whole set of captions", None),
    "loss.reward={copied: -1}": (COPIES, None),
    "loss.reward={CIDER: 1}": ("has 'CIDER'", "CIDEr"),
    "loss.reward={CIDEr-D: 0}": ("metrics with weights", None),
    "loss.reward=CIDEr-D": ("a mapping, as {CIDEr-D: 1}", None),
    "loss.reward={BLEU-4: .nan}": ("a finite number", None),
    "loss.reward={repeats-2: 1}": ("a weight below 0", None),
    "train.tensorboard=maybe": ("true or false", None),
    "encoder.model=3": ("text", None),
    "data.root=3": ("a path", None),
    "evaluate.metrics=BLEU": ("a list: [BLEU]", None),
    "decode.max_length=258": ("at most 257", None),
    "decode.num_beams=0": ("a whole number of at least 1 and at most 256", None),
}


def refusal(*overrides):
    with pytest.raises(RecipeError) as caught:
        checked(*overrides)
    return caught.value


def test_every_captioner_of_the_table_has_its_options():
    assert list(PARTS["captioner"]) == list(CAPTIONERS)


def test_a_recipe_without_training_has_no_sections_of_training():
    recipe = check(load_recipe("nearest", ["captioner.k=3", "train.seed=4"]))
    assert recipe["captioner"] == {"name": "nearest", "k": 3} | {
        key: recipe["captioner"][key] for key in ("choices", "scale")
    }
    assert recipe["train"] == {"seed": 4, "device": "auto", "precision": "auto"}


WITHOUT = "does not apply to captioner 'nearest', which trains nothing; remove it (`showtell recipes nearest` prints"


@pytest.mark.parametrize(
    ("written", "told"),
    {
        "decoder.layers=2": f"decoder.layers {WITHOUT}",
        "decoder=transformer": f"decoder {WITHOUT}",
        "decode.num_beams=3": f"decode.num_beams {WITHOUT}",
        "tokenizer.min_count=1": f"tokenizer.min_count {WITHOUT}",
        "train.epochs=1": f"train.epochs {WITHOUT}",
        "train.epoch=1": "train.epoch is not an option of 'train'; it takes ",
        "captioner.k=0": "captioner.k is 0; it takes 1 or more",
        "captioner.choices=[]": "captioner.choices is []; it takes a list of at least 1",
        "captioner.K=2": "captioner.K is not an option of 'nearest'; it takes k, choices, scale (did you mean k?)",
        "captioner=nearset": "captioner.name is 'nearset'; it takes neural, nearest",
    }.items(),
)
def test_what_does_not_apply_to_a_captioner_is_refused(written, told):
    with pytest.raises(RecipeError, match=f"^{re.escape(told)}"):
        check(load_recipe("nearest", [written]))


@pytest.mark.parametrize("written", ["METEORR", "[METEORR]", "[BLEU, METEORR]"])
def test_an_unknown_metric_is_told_with_those_that_there_are(written):
    with pytest.raises(InputError, match=r"^'METEORR' is not a metric; there are BLEU-1, BLEU-2, "):
        checked(f"evaluate.metrics={written}")


@pytest.mark.parametrize("written", list(MISTAKES))
def test_a_mistake_is_told_with_its_key_its_value_and_what_is_allowed(written):
    rewarded = written.startswith(("loss.samples", "loss.reward"))
    error = refusal(*(["loss=self_critical"] if rewarded else []), written)
    key, _, text = written.partition("=")
    word, near = MISTAKES[written]
    assert (error.near, word in str(error)) == (near, True)
    if "is not" in error.wrong:
        assert error.key in (key, key.partition(".")[0])
    else:
        assert error.key in (key, f"{key}.name")
        assert error.value == read_yaml(text) or text == "{BLEU-4: .nan}"


OLD = {
    "train.loss=self_critical": "loss=self_critical",
    "train.label_smoothing=.1": "loss.label_smoothing=.1",
    "train.reward={CIDEr-D: 1}": "loss.reward={CIDEr-D: 1}",
}


@pytest.mark.parametrize("written", list(OLD))
def test_an_option_that_is_now_one_of_the_loss_is_told_with_its_place(written):
    error = refusal(written)
    assert (error.key, error.advice) == (written.partition("=")[0], f"write {OLD[written]}")


@pytest.mark.parametrize("recipe", [{"encoder": "lite"}, {"epochs": 3}, {"train": None}], ids=str)
def test_a_section_that_is_none_is_told(recipe):
    with pytest.raises(RecipeError) as caught:
        check(recipe)
    assert caught.value.key == next(iter(recipe))


def test_another_loss_drops_the_options_of_the_first():
    recipe = showtell.load_recipe("lyon", ["encoder=lite", "loss=self_critical", "loss.samples=3"])
    assert recipe["loss"] == {"name": "self_critical", "samples": 3, "reward": None, "baseline": "mean"}
    with pytest.raises(RecipeError, match=r"^loss\.attend_all is not an option of 'self_critical'"):
        showtell.load_recipe("lyon", ["loss=self_critical", "loss.attend_all=1"])


def test_a_missing_option_is_told():
    with pytest.raises(RecipeError, match=r"^data.root is missing: 'karpathy' needs it; give data.root=VALUE$"):
        check({"data": {"name": "karpathy"}})


def test_a_key_that_is_no_word_is_told():
    with pytest.raises(
        RecipeError, match=r"^tokenizer.1 is not an option of 'words'; it takes min_count, max_words, prompt$"
    ):
        check({"tokenizer": {1: 2}, "data": {"name": "scenes"}})


def test_an_unknown_metric_is_told_before_anything_is_trained():
    with pytest.raises(InputError, match=r"^'CIDER-E' is not a metric; there are .* \(did you mean CIDEr-D\?\)$"):
        checked("evaluate.metrics=[BLEU, CIDER-E]")


def test_off_is_a_word():
    assert checked("train.wandb=off")["train"]["wandb"] == "off"


@pytest.mark.parametrize("wrong", ["encoder.grid_size=0", "encoder.trainable=99", "encoder.image_size=8"])
def test_what_an_encoder_refuses_is_told_by_the_key_as_it_is_written(wrong):
    with pytest.raises(RecipeError) as caught:
        build_encoder(checked("encoder=lite", wrong))
    key, _, value = wrong.partition("=")
    assert (caught.value.key, caught.value.value) == (key, int(value))
