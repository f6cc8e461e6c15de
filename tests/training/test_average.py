"""The moving average of the weights: its numbers, what uses it, and that training itself does not."""

import pytest
import torch
from torch import nn

from showtell import checkpoint
from showtell.training.average import Average
from showtell.training.job import Job
from showtell.training.log import read_log
from tests.small import FROZEN, train_small

EMA = [*FROZEN, "train.ema=0.9", "train.max_steps=7", "train.batch_size=40"]


def test_an_average_is_the_weighted_sum_of_all_weights_so_far():
    layer = nn.Linear(3, 2)
    average = Average([layer], 0.25)
    wanted = layer.weight.detach().clone()
    for step in range(6):
        nn.init.normal_(layer.weight)
        average.update(step)
        decay = [1 / 10, 2 / 11, 3 / 12, 0.25, 0.25, 0.25][step]
        wanted = decay * wanted + (1 - decay) * layer.weight.detach()
    torch.testing.assert_close(average.averages[0], wanted)


def test_in_place_the_module_computes_with_the_average_and_after_it_as_before():
    layer = nn.Linear(3, 2)
    average = Average([layer], 0.5)
    before = layer.weight.detach().clone()
    nn.init.ones_(layer.weight)
    with pytest.raises(KeyError), average.in_place():
        assert torch.equal(layer.weight, before)
        raise KeyError
    assert torch.equal(layer.weight, torch.ones(2, 3)) and torch.equal(average.averages[0], before)


def test_frozen_weights_are_not_averaged_and_running_statistics_are():
    frozen = nn.BatchNorm1d(3).requires_grad_(False)
    assert Average([frozen], 0.5).live == []
    norm = nn.BatchNorm1d(3)
    names = {id(tensor): name for name, tensor in norm.state_dict(keep_vars=True).items()}
    live = [names[id(tensor)] for tensor in Average([norm], 0.5).live]
    assert live == ["weight", "bias", "running_mean", "running_var"]
    assert Average([norm], 0.0).live == []


@pytest.mark.slow
def test_training_itself_does_not_change(tmp_path):
    train_small(tmp_path / "plain", *EMA, "train.ema=0")
    train_small(tmp_path / "averaged", *EMA)
    plain, averaged = (checkpoint.read_training(tmp_path / name)[0] for name in ("plain", "averaged"))
    assert "unaveraged" not in plain and set(plain["model"]) == set(averaged["unaveraged"])
    assert all(torch.equal(averaged["unaveraged"][name], tensor) for name, tensor in plain["model"].items())
    assert not all(torch.equal(averaged["model"][name], tensor) for name, tensor in plain["model"].items())


@pytest.mark.slow
def test_the_average_is_validated_and_saved(tmp_path, monkeypatch):
    weights, step = [], Job.step

    def noted(job):
        if not weights:
            weights.append(checkpoint.weights(job.captioner.encoder, job.captioner.decoder)["decoder.bias"].clone())
        row = step(job)
        weights.append(checkpoint.weights(job.captioner.encoder, job.captioner.decoder)["decoder.bias"].clone())
        return row

    monkeypatch.setattr(Job, "step", noted)
    run = tmp_path / "run"
    train_small(run, *EMA, "train.select=loss")
    wanted = weights[0]
    for number, tensor in enumerate(weights[1:]):
        decay = min(0.9, (1 + number) / (10 + number))
        wanted = decay * wanted + (1 - decay) * tensor
    last = checkpoint.read_tensors(run / "last" / "model.safetensors")
    torch.testing.assert_close(last["decoder.bias"], wanted)
    assert (run / "model.safetensors").read_bytes() == (run / "last" / "model.safetensors").read_bytes()
    train_small(tmp_path / "plain", *EMA, "train.ema=0", "train.select=loss")
    losses = [[row["val_loss"] for row in read_log(tmp_path / name)] for name in ("run", "plain")]
    assert losses[0] != losses[1]


@pytest.mark.slow
def test_without_validation_the_average_is_what_is_left(tmp_path):
    run = tmp_path / "run"
    train_small(run, *EMA, "data.val_images=0")
    assert (run / "model.safetensors").read_bytes() == (run / "last" / "model.safetensors").read_bytes()
