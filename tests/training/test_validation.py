"""When a run validates, with what, and which weights are the best."""

import math

import pytest
import torch

from showtell import checkpoint
from showtell.cache import open_source
from showtell.loading import load_folder
from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError
from showtell.predict.captions import describe_all
from showtell.recipe.build import build
from showtell.training import validation
from showtell.training.log import read_log
from showtell.training.validation import Validation, chooser
from tests.small import train_small
from tests.training.short import ONE_STEP, STILL, state, trained


@pytest.mark.slow
def test_the_last_step_validates_in_the_middle_of_an_epoch_too(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.max_steps=10", "train.validate_every=5")
    assert [(row["step"], row["epoch"], "val_loss" in row) for row in rows] == [(8, 1, False), (10, 1, True)]
    assert state(tmp_path / "run")["finished"] and state(tmp_path / "run")["best_step"] == 10


@pytest.mark.slow
def test_validation_may_be_rarer_than_epochs(tmp_path):
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=5", "train.validate_every=2")
    assert [row["step"] for row in rows if "val_loss" in row] == [2, 4, 5]


@pytest.mark.slow
def test_training_stops_early_where_nothing_gets_better(tmp_path):
    overrides = ["train.lr=1e-30", "train.epochs=9", "train.patience=2", "train.select=loss"]
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, *overrides)
    assert len({row["val_loss"] for row in rows}) == 1
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert state(tmp_path / "run")["finished"] and state(tmp_path / "run")["best_step"] == 1


def test_what_tells_copies_of_the_training_captions_can_choose_the_epoch(tmp_path):
    rows = trained(tmp_path / "run", *ONE_STEP, "train.epochs=1", "train.select=copied")
    assert 0 <= rows[-1]["copied"] <= 1


def test_of_several_metrics_the_first_that_is_here_chooses_the_epoch(monkeypatch):
    monkeypatch.setitem(METRICS, "ROUGE-L", METRICS["ROUGE-L"]._replace(missing=lambda texts: "needs a moon"))
    said = []
    assert chooser("ROUGE-L, BLEU-4,loss", said.append) == "BLEU-4"
    assert len(said) == 1 and "train.select" in said[0] and "ROUGE-L needs a moon" in said[0] and "so BLEU-4" in said[0]
    assert chooser("loss", said.append) == "loss" and len(said) == 1
    with pytest.raises(InputError, match=r"^train.select is ROUGE-L, .*: ROUGE-L needs a moon; .*another metric"):
        chooser("ROUGE-L", said.append)


@pytest.mark.slow
@pytest.mark.parametrize(("select", "best"), [("loss", 1), ("BLEU-4", 2), ("CIDEr-D", 3)])
def test_the_best_weights_are_those_that_the_chosen_metric_names(tmp_path, monkeypatch, select, best):
    found = [{"val_loss": 1.0 + i, "BLEU-4": (0.1, 0.3, 0.2)[i], "CIDEr-D": (0.1, 0.1, 0.9)[i]} for i in range(3)]
    weights = []

    def measure(validation, *_):
        captioner = validation.captioner
        saved = checkpoint.weights(captioner.encoder, captioner.decoder)
        weights.append({name: tensor.clone() for name, tensor in saved.items()})
        return found[len(weights) - 1]

    monkeypatch.setattr(Validation, "measure", measure)
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=3", f"train.select={select}")
    kept = checkpoint.read_tensors(tmp_path / "run" / "model.safetensors")
    equal = [all(torch.equal(kept[name], tensor) for name, tensor in epoch.items()) for epoch in weights]
    assert equal == [epoch == best for epoch in (1, 2, 3)]
    assert state(tmp_path / "run")["best_step"] == best


@pytest.mark.slow
@pytest.mark.parametrize(("losses", "best"), [([math.nan, 1.0, 2.0], 2), ([2.0, math.inf, math.nan], 1)])
def test_a_validation_without_a_finite_figure_is_never_the_best(tmp_path, monkeypatch, losses, best):
    found = iter(losses)
    monkeypatch.setattr(Validation, "measure", lambda validation, *_: {"val_loss": next(found)})
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=3", "train.select=loss")
    assert (state(tmp_path / "run")["best_step"], state(tmp_path / "run")["best"]) == (best, -losses[best - 1])


@pytest.mark.slow
def test_the_best_weights_give_the_loss_that_was_logged(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.select=loss")
    captioner = load_folder(tmp_path / "run")
    records = [record for record in build(captioner.recipe, "data") if record.split == "val"]
    found = Validation(open_source(records, captioner.encoder), captioner).measure()
    assert found["val_loss"] == min(row["val_loss"] for row in rows) == -state(tmp_path / "run")["best"]


@pytest.mark.slow
def test_validation_is_greedy_with_the_lengths_of_the_recipes_decoding(tmp_path, monkeypatch):
    asked = {}

    def describe(*arguments, **decode):
        asked.update(decode)
        return describe_all(*arguments, **decode)

    monkeypatch.setattr(validation, "describe_all", describe)
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.max_steps=1", "decode.min_length=3")
    assert list(asked.pop("rows")) == list(range(6))
    assert asked == {"name": "greedy", "max_length": 12, "min_length": 3, "no_repeat_ngram_size": 0}


@pytest.mark.slow
def test_without_validation_photos_the_last_weights_count(tmp_path):
    run = tmp_path / "run"
    said = train_small(run, *STILL, *ONE_STEP, "data.val_images=0", "train.patience=1")
    assert "no captioned validation photos" in said.splitlines()[0]
    assert (run / "model.safetensors").read_bytes() == (run / "last" / "model.safetensors").read_bytes()
    assert [set(row) for row in read_log(run)] == [
        {"step", "epoch", "loss", "lr", "captions_per_second", "seconds"}
    ] * 2
