"""Runs put together: their mean is the mean, whoever comes first, and what does not fit together is refused."""

import re
import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from showtell import checkpoint
from showtell.cache import encode, open_source
from showtell.captioners.ensemble import MeanDecoder
from showtell.cli import app
from showtell.data.scenes.scenes import scenes
from showtell.decode import STRATEGIES
from showtell.encoders.joined import Joined
from showtell.explain.explain import explain
from showtell.features import Features, select
from showtell.loading import load
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.evaluate import evaluate_run
from showtell.settings.text import load_recipe
from showtell.training.loop import train
from showtell.training.together import make_ensemble
from tests.small import FROZEN, RECIPE, train_small

from .test_every_captioner import talkative


@pytest.fixture(scope="module")
def photos():
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    return [record.path for record in scenes(**settings) if record.split == "test"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Captioners of the same words: two that see alike, and one of another kind whose encoder is another."""
    folder = tmp_path_factory.mktemp("runs")
    wider = [*FROZEN[:1], "encoder.image_size=96", "decoder=recurrent", "decoder.dim=16"]
    for name, overrides, scale in (("a", FROZEN, 1.0), ("b", FROZEN, 0.8), ("c", wider, 1.0)):
        captioner = talkative(*overrides)
        with torch.no_grad():
            for weight in captioner.decoder.parameters():
                weight.mul_(scale)
        captioner.save_pretrained(folder / name)
    return folder


def joined(runs, names):
    """The ensemble of some of the runs, read from its folder, which is written once."""
    if not (runs / names).exists():
        make_ensemble([runs / name for name in names], runs / names)
    return load(runs / names)


def seen(captioner, photos):
    return encode(captioner.encoder, [Image.open(photo).convert("RGB") for photo in photos])


def probabilities(captioner, features, tokens):
    captioner.decoder.eval()
    memory, state = captioner.decoder.start(features)
    with torch.no_grad():
        return captioner.decoder(memory, captioner.decoder.widen(state, tokens.shape[1]), tokens).logits.softmax(-1)


@pytest.mark.slow
@pytest.mark.parametrize("names", ["ab", "ac", "abc", "cba"])
def test_probabilities_are_the_mean_of_the_members(runs, photos, names):
    ensemble = joined(runs, names)
    tokens = torch.randint(4, len(ensemble.tokenizer), (len(photos), 3, 5))
    tokens[..., 0] = ensemble.tokenizer.special.begin[0]
    members = [load(runs / name) for name in names]
    mean = sum(probabilities(m, seen(m, photos), tokens) for m in members) / len(members)
    torch.testing.assert_close(probabilities(ensemble, seen(ensemble, photos), tokens), mean, atol=1e-6, rtol=1e-5)
    memory, state = ensemble.decoder.start(seen(ensemble, photos))
    logits = ensemble.decoder(memory, state, tokens[:, :1]).logits
    torch.testing.assert_close(logits.log_softmax(-1), logits, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_run_twice_says_what_it_says(runs, photos):
    alone, twice = load(runs / "a"), joined(runs, "aa")
    for one, two in zip(alone.caption(photos), twice.caption(photos), strict=True):
        assert one.tokens == two.tokens and one.text == two.text
        assert two.log_prob == pytest.approx(one.log_prob, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("names", "other"), [("ab", "ba"), ("abc", "cab")])
def test_the_order_of_the_members_does_not_matter(runs, photos, names, other):
    first, second = joined(runs, names).caption(photos), joined(runs, other).caption(photos)
    assert [caption.text for caption in first] == [caption.text for caption in second]
    assert [c.log_prob for c in first] == pytest.approx([c.log_prob for c in second], abs=1e-4)
    assert [c.text for c in first] != [c.text for c in load(runs / names[0]).caption(photos)]


@pytest.mark.slow
def test_members_with_the_same_frozen_encoder_share_it(runs, photos):
    assert not isinstance(joined(runs, "ab").encoder, Joined)
    ensemble = joined(runs, "abc")
    assert len(ensemble.encoder.encoders) == 2 and ensemble.decoder.sees == (0, 0, 1)
    assert not isinstance(seen(ensemble, photos), Features) and len(seen(ensemble, photos)) == 2
    calls = []
    for part in ensemble.encoder.encoders:
        part.register_forward_pre_hook(lambda module, given: calls.append(module))
    ensemble.caption(photos[:2])
    assert len(calls) == len(set(calls)) == 2


def test_encoders_that_trained_are_never_shared(cnn_run, tmp_path):
    make_ensemble([cnn_run, cnn_run], tmp_path / "twice")
    assert len(load(tmp_path / "twice").encoder.encoders) == 2


@pytest.mark.slow
def test_each_encoder_keeps_its_own_cache(runs, tmp_path, photos):
    ensemble = joined(runs, "ac")
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    records = [record for record in scenes(**settings) if record.split == "test"]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    source = open_source([*records, replace(records[0], image_id="broken", path=broken)], ensemble.encoder)
    assert [record.image_id for record in source.records] == [record.image_id for record in records]
    assert {left.name for left in source.left_out} == {"broken"}
    found = source([2, 0])
    for part, member in zip(found, "ac", strict=True):
        alone = open_source(records, load(runs / member).encoder)([2, 0])
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(part, alone, strict=True))
    assert torch.equal(select(found, torch.tensor([1]))[1].pooled, found[1].pooled[1:])


@pytest.mark.slow
def test_an_ensemble_goes_anywhere(runs, tmp_path, photos):
    make_ensemble([runs / "a", runs / "c"], tmp_path / "ac")
    said = load(tmp_path / "ac").caption(photos)
    shutil.move(tmp_path / "ac", tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").caption(photos) == said
    load(tmp_path / "elsewhere").save_pretrained(tmp_path / "again", half=True)
    assert [c.text for c in load(tmp_path / "again").caption(photos)] == [c.text for c in said]


@pytest.mark.slow
def test_every_strategy_decodes_an_ensemble(runs, photos):
    ensemble = joined(runs, "abc")
    ways = [{"name": name, **({"seed": 1} if name == "sample" else {})} for name in STRATEGIES]
    for changes in (*ways, {"must": ["star"]}):
        captions = ensemble.caption(photos, max_length=8, **changes)
        assert len(captions) == len(photos) and all(caption.log_prob < 0 for caption in captions)
    assert all("star" in caption.text.split() for caption in captions)


@pytest.mark.slow
def test_runs_are_put_together_scored_and_explained_like_any(frozen_run, tmp_path):
    train_small(tmp_path / "two", *FROZEN, "train.seed=2")
    result = CliRunner().invoke(app, ["ensemble", str(frozen_run), str(tmp_path / "two"), "--run", str(tmp_path / "e")])
    assert result.exit_code == 0, result.output
    signature = evaluate_run(tmp_path / "e", "val")["CIDEr-D"].signature
    half = evaluate_run(tmp_path / "e", "val", ["train.precision=bf16"], out=tmp_path / "half")["CIDEr-D"].signature
    assert "|precision bf16" in half and "precision" not in signature
    assert "|split val (chose the epoch by CIDEr-D)|mean of 2 (seeds 0,2): beam(num_beams=2," in signature
    image = Image.open(scenes(**{k: v for k, v in RECIPE["data"].items() if k != "name"})[0].path).convert("RGB")
    explanation = explain(load(tmp_path / "e"), image)
    torch.testing.assert_close(explanation.maps.sum(1), torch.ones(len(explanation.words)))
    assert len(explanation.maps) == len(explanation.words) > 0


@pytest.mark.slow
def test_maps_are_the_mean_of_those_who_see_through_the_first_encoder(runs, photos):
    ensemble, members = joined(runs, "abc"), [load(runs / name) for name in "ab"]
    tokens = torch.tensor([[[1, 5, 6]]])
    maps = []
    for captioner in [ensemble, *members]:
        memory, state = captioner.decoder.start(seen(captioner, photos[:1]))
        maps.append(captioner.decoder(memory, state, tokens, attention=True).attention.mean(3))
    torch.testing.assert_close(maps[0], (maps[1] + maps[2]) / 2, atol=1e-5, rtol=0)
    assert ensemble.decoder.attends and not joined(runs, "cab").decoder.attends  # "c" is recurrent
    image = Image.open(photos[0]).convert("RGB")
    found = explain(joined(runs, "ca"), image, how="attention")  # the second member has attention
    torch.testing.assert_close(found.maps.sum(1), torch.ones(len(found.words)))
    with pytest.raises(InputError, match=r"^no member of this ensemble has attention over the image"):
        explain(joined(runs, "cc"), image, how="relevance")


def test_an_ensemble_reads_no_more_words_than_its_shortest_member(runs):
    decoders = [load(runs / name).decoder for name in "ac"]
    assert MeanDecoder(decoders, [0, 1]).max_length == decoders[0].max_length == 256


@pytest.mark.slow
def test_longer_captions_than_a_member_has_positions_for_are_refused(runs, photos):
    told = "decode.max_length is 258; it takes at most 257 if decoder.max_length is 256"
    for captioner in (load(runs / "a"), joined(runs, "ca")):
        with pytest.raises(RecipeError, match=f"^{told}$"):
            captioner.caption(photos[:1], max_length=258)


def test_other_tokenizers_are_refused_and_named(runs, tmp_path):
    shutil.copytree(runs / "b", tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b"\n")
    told = f"{runs / 'a'} and {tmp_path / 'other'} have different tokenizers (their options are equal"
    with pytest.raises(InputError, match=f"^{re.escape(told)}"):
        make_ensemble([runs / "a", tmp_path / "other"], tmp_path / "e")
    recipe = checkpoint.read_recipe(tmp_path / "other")
    checkpoint.write_recipe(tmp_path / "other", recipe | {"tokenizer": recipe["tokenizer"] | {"min_count": 6}})
    with pytest.raises(InputError, match=r"tokenizer.min_count is 1 and 6.*showtell train .* tokenizer.min_count=1 "):
        make_ensemble([runs / "a", tmp_path / "other"], tmp_path / "e")
    assert not (tmp_path / "e").exists() and not [*tmp_path.glob(".*")]


def test_what_is_no_member_is_refused(runs, tmp_path):
    recipe = check({"captioner": {"name": "nearest", "k": 1}, "data": RECIPE["data"]})
    checkpoint.write_recipe(tmp_path, recipe)
    with pytest.raises(RecipeError, match=r"captioner 'nearest'; an ensemble takes runs of captioner 'neural'$"):
        make_ensemble([runs / "a", tmp_path], tmp_path / "e")
    with pytest.raises(InputError, match=r"^an ensemble takes two runs or more; you gave 1$"):
        make_ensemble([runs / "a"], tmp_path / "e")
    with pytest.raises(InputError, match=r"exists; .*another folder with --run$"):
        make_ensemble([runs / "a", runs / "b"], tmp_path)


def test_a_recipe_of_an_ensemble_sets_nothing_of_its_members(tmp_path):
    members = {"captioner": {"name": "ensemble", "members": ["a", "b"]}, "data": RECIPE["data"]}
    checked = check(members)
    assert not {"encoder", "regions", "tokenizer", "decoder"} & checked.keys()
    told = "decoder.dim does not apply to captioner 'ensemble', whose members have their own; remove it"
    with pytest.raises(RecipeError, match=f"^{re.escape(told)}"):
        check(members | {"decoder": {"dim": 3}})
    with pytest.raises(RecipeError, match=r"^captioner.members is \['a'\]; it takes a list of at least 2$"):
        check(members | {"captioner": {"name": "ensemble", "members": ["a"]}})
    with pytest.raises(RecipeError, match=r"^decode.num_beams is 0; it takes"):
        check(members | {"decode": {"num_beams": 0}})
    with pytest.raises(RecipeError, match=r"^encoder does not apply to captioner 'ensemble'$"):
        build(checked, "encoder")
    with pytest.raises(RecipeError, match=r"^captioner is 'ensemble', .*showtell ensemble RUN RUN"):
        train(checked, tmp_path / "run")


def test_a_member_that_is_gone_is_told(runs, tmp_path):
    make_ensemble([runs / "a", runs / "b"], tmp_path / "ab")
    shutil.rmtree(tmp_path / "ab" / "members" / "2")
    with pytest.raises(InputError, match=r"members/2 is not a run: it has no recipe.yaml$"):
        load(tmp_path / "ab")
    load_recipe(str(tmp_path / "ab" / "recipe.yaml"))
