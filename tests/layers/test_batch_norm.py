"""Batch norm where a batch holds one value a channel."""

import pytest
import torch
from torch import nn

from showtell.encoders import ConvNet, Timm
from showtell.layers.batch_norm import spare_lone_values
from showtell.training.log import read_log
from tests.small import train_small

VIEW = torch.tensor([[0.0, 0.0, 1.0, 1.0]])


def spared(dim):
    norm = nn.BatchNorm2d(dim)
    spare_lone_values(norm)
    return norm


def test_one_value_a_channel_is_normalised_as_in_evaluation_and_moves_nothing():
    norm, x = spared(3), torch.randn(1, 3, 1, 1)
    norm.running_mean.fill_(2.0)
    statistics = norm.running_mean.clone(), norm.running_var.clone()
    out = norm(x)
    assert norm.training
    torch.testing.assert_close(out, (x - 2) / (1 + norm.eps) ** 0.5)
    assert torch.equal(norm.running_mean, statistics[0]) and torch.equal(norm.running_var, statistics[1])


def test_more_values_are_normalised_as_ever():
    ours, plain, x = spared(3), nn.BatchNorm2d(3), torch.randn(1, 3, 2, 1)
    assert torch.equal(ours(x), plain(x)) and torch.equal(ours.running_mean, plain.running_mean)
    assert torch.equal(ours.eval()(x), plain.eval()(x)) and not ours.training


@pytest.mark.parametrize(
    "encoder",
    [
        ConvNet(image_size=32, grid_size=1, width=2, dim=6),
        Timm(model="test_efficientnet", weights="random", image_size=32, trainable="all"),
    ],
    ids=["cnn", "timm"],
)
def test_an_encoder_trains_on_one_image_of_one_cell(encoder):
    encoder.train()
    features = encoder(torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8), VIEW)
    assert features.tokens.shape[1] == 1
    features.tokens.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)


@pytest.mark.slow
def test_training_with_a_photo_at_a_time_and_one_cell_runs_to_its_end(tmp_path):
    train_small(tmp_path / "run", "encoder.grid_size=1", "train.batch_size=5", "train.max_steps=3")
    assert [row["step"] for row in read_log(tmp_path / "run")] == [3]
