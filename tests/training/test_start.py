"""Training that begins with another run: its weights and words, which must fit; resumed, it ends the same."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from showtell import checkpoint
from showtell.cache import encode
from showtell.loading import load
from showtell.plumbing.errors import InputError, ShowtellError
from showtell.recipe.check import check
from showtell.training.resume import differences, start_folder
from tests.small import FROZEN, small_recipe, train_small
from tests.training.killed import equal, killed

SELF_CRITICAL = ["loss=self_critical", "loss.samples=3", "train.save_every=2", "train.max_steps=5"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    run = tmp_path_factory.mktemp("start") / "begun"
    train_small(run, *FROZEN, "train.max_steps=4")
    return run


@pytest.mark.slow
def test_self_critical_training_from_a_run_goes_on_to_the_same_end(tmp_path, begun):
    overrides = [*FROZEN, *SELF_CRITICAL, f"train.start={begun}"]
    train_small(tmp_path / "whole", *overrides)
    killed(tmp_path / "run", overrides, "Job.step", 4)
    said = train_small(tmp_path / "run", *overrides, resume=True)
    assert said.startswith(f"resuming {tmp_path / 'run'} at step 2\n")
    assert equal(tmp_path / "run", tmp_path / "whole")


@pytest.mark.slow
def test_training_begins_with_the_weights_of_a_run_at_home(tmp_path, begun, monkeypatch):
    monkeypatch.setenv("HOME", str(begun.parent))
    train_small(tmp_path / "run", *FROZEN, "train.start=~/begun", "train.max_steps=1", "train.lr=1e-12")
    before, after = (checkpoint.read_tensors(run / checkpoint.MODEL) for run in (begun, tmp_path / "run"))
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


@pytest.mark.slow
def test_an_encoder_that_was_frozen_trains_on_from_its_source_and_the_decoder_from_the_run(tmp_path, begun):
    tuned = [*FROZEN, "encoder.trainable=2", "train.lr=1e-12", f"train.start={begun}"]
    train_small(tmp_path / "one", *tuned, "train.max_steps=1")
    before, after = (checkpoint.read_tensors(run / checkpoint.MODEL) for run in (begun, tmp_path / "one"))
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)
    assert {name.split(".")[2] for name in after.keys() - before.keys()} == {"17", "18"}
    photo = Image.linear_gradient("L").convert("RGB")
    frozen, tuning = (encode(load(run).encoder, [photo]).tokens for run in (begun, tmp_path / "one"))
    torch.testing.assert_close(tuning, frozen, rtol=1e-3, atol=1e-3)
    tuned += ["train.pretrained_lr=1e-3", "train.save_every=2", "train.max_steps=5"]
    train_small(tmp_path / "whole", *tuned)
    killed(tmp_path / "run", tuned, "Job.step", 4)
    train_small(tmp_path / "run", *tuned, resume=True)
    assert equal(tmp_path / "run", tmp_path / "whole")
    moved = checkpoint.read_tensors(tmp_path / "whole" / checkpoint.MODEL)
    assert any(not torch.equal(moved[name], after[name]) for name in after.keys() - before.keys())
    train_small(tmp_path / "on", *FROZEN, "encoder.trainable=3", f"train.start={tmp_path / 'one'}", "train.max_steps=1")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("tokenizer.min_count=2", "tokenizer.min_count is 1, not 2; set the old value"),
        ("decoder=recurrent", "decoder is transformer, not recurrent; set the old value"),
        ("decoder.heads=1", "decoder.heads is 2, not 1; set the old value"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_by_name(tmp_path, begun, changed, told):
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", *FROZEN, f"train.start={begun}", changed)
    assert (error.value.key, error.value.value) == ("train.start", str(begun)) and told in str(error.value)
    assert not (tmp_path / "run").exists()


def test_another_network_is_refused_where_its_weights_would_fit(tmp_path, begun):
    """Two of one width: without a word the decoder would read the features of a network that it does not know."""
    parts = [{"name": "lite", "image_size": 64}, {"name": "cnn", "image_size": 64}]
    old = checkpoint.read_recipe(begun)
    (tmp_path / "two").mkdir()
    checkpoint.write_recipe(tmp_path / "two", old | {"encoder": {"name": "concat", "parts": parts}})
    now = small_recipe(*FROZEN)
    recipe = check(old | {"encoder": {"name": "concat", "parts": parts[::-1]}})
    assert list(differences(str(tmp_path / "two"), recipe)) == ["encoder.parts"]
    finer = check(
        old | {"encoder": {"name": "concat", "parts": [parts[0] | {"image_size": 96, "trainable": 1}, parts[1]]}}
    )
    assert differences(str(tmp_path / "two"), finer) == {}
    other = now | {"encoder": now["encoder"] | {"version": 2}}
    with pytest.raises(InputError, match=r"^train.start is .*encoder.version is 0, not 2; set the old value"):
        start_folder(str(begun), other)


@pytest.mark.slow
def test_what_a_stage_changes_is_said(tmp_path, begun):
    staged = [f"train.start={begun}", "train.max_steps=1", "encoder.image_size=96", "decoder.dropout=0.1"]
    said = train_small(tmp_path / "run", *FROZEN, *staged)
    told = "encoder.image_size is 64, not 96; decoder.dropout is 0.3, not 0.1"
    assert f"train.start={begun}: {told}\n" in said


def test_another_size_is_told_by_the_option_that_makes_it(tmp_path, begun):
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", *FROZEN, f"train.start={begun}", "decoder.dim=48", "decoder.mlp_dim=48")
    assert (error.value.key, error.value.value) == ("train.start", str(begun))
    assert " decoder.dim is " in str(error.value) and ", not 48; decoder.mlp_dim is " in str(error.value)


def test_a_damaged_run_is_told_without_a_difference_that_is_none(tmp_path, begun):
    bad = shutil.copytree(begun, tmp_path / "bad")
    tensors = checkpoint.read_tensors(bad / checkpoint.MODEL)
    name = next(iter(tensors))
    checkpoint.write_tensors(bad / checkpoint.MODEL, tensors | {name: torch.zeros(3, 1, 7)})
    with pytest.raises(InputError, match=rf"^train.start is {bad}, .*: {bad}/model.safetensors does not fit"):
        train_small(tmp_path / "run", *FROZEN, f"train.start={bad}")


@pytest.mark.parametrize(
    "mistake",
    ["train.start=nowhere", "tokenizer=sentencepiece", "loss.attend_all=1", "captioner.views=flip", "decoder.dim=48"],
)
def test_what_is_known_beforehand_is_told_before_a_photo_is_encoded(tmp_path, monkeypatch, begun, mistake):
    import showtell.training.setup

    def too_late(*_, **__):
        raise AssertionError("photos are encoded")

    monkeypatch.setattr(showtell.training.setup, "open_source", too_late)
    monkeypatch.setattr(showtell.training.setup, "open_augmented", too_late)
    others = ["decoder=recurrent"] if "attend_all" in mistake else []
    if "views" in mistake:
        np.savez(tmp_path / "features.npz", a=np.zeros((2, 3)))
        others = ["regions=precomputed", f"regions.file={tmp_path / 'features.npz'}"]
    if "dim" in mistake:
        others = [f"train.start={begun}", "decoder.mlp_dim=48"]
    with pytest.raises(ShowtellError, match=rf"^{mistake.partition('=')[0]}\b|^train.start is .* decoder.dim is "):
        train_small(tmp_path / "run", *FROZEN, mistake, *others)


def test_a_folder_without_a_model_and_another_captioner_are_refused(tmp_path, begun):
    with pytest.raises(InputError, match=r"^train.start is .*model.safetensors; it takes the folder of a trained run$"):
        train_small(tmp_path / "run", *FROZEN, f"train.start={tmp_path}")
    other = shutil.copytree(begun, tmp_path / "other")
    recipe = {name: checkpoint.read_recipe(begun)[name] for name in ("data", "encoder")}
    checkpoint.write_recipe(other, recipe | {"captioner": {"name": "nearest"}})
    with pytest.raises(InputError, match=r"^train.start is .*captioner is nearest, not neural; set the old value"):
        train_small(tmp_path / "run", *FROZEN, f"train.start={other}")
