"""Convolutions as flax keeps them become a network's own; whatever else a pickle holds does not."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from showtell.encoders.timm.flax import read_layers

CHANNELS = (3, *range(2, 14))


def network():
    convolutions = [nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(CHANNELS)]
    return nn.Sequential(*[layer for conv in convolutions for layer in (conv, nn.ReLU())])


def as_flax(net):
    convolutions = [module for module in net if isinstance(module, nn.Conv2d)]
    return {
        f"Conv_{number}": {
            "kernel": conv.weight.detach().permute(2, 3, 1, 0).numpy(),
            "bias": conv.bias.detach().numpy(),
        }
        for number, conv in enumerate(convolutions)
    }


def write(path, content):
    path.write_bytes(pickle.dumps(content, protocol=3))
    return path


def test_layers_come_in_the_order_of_their_numbers_and_in_torchs_layout(tmp_path):
    theirs, ours = network(), network()
    heads = {f"Head_{n}": {"Conv_0": {"kernel": np.ones((1, 1, 4, 1), np.float32)}} for n in range(3)}
    layers = dict(sorted(as_flax(theirs).items()))  # Conv_10 before Conv_2, as text goes
    state = read_layers(write(tmp_path / "vgg.ckpt", {"VGG16_0": layers, **heads}), ours)
    ours.load_state_dict(state)
    x = torch.randn(1, 3, 8, 8)
    assert_close(ours(x), theirs(x))


def test_layers_without_a_network_around_them_are_read_as_well(tmp_path):
    ours = network()
    assert set(read_layers(write(tmp_path / "bare.ckpt", as_flax(ours)), ours)) == set(ours.state_dict())


class Runs:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    "content",
    [{}, {"a": 1}, {"Conv_0": {"kernel": 1}}, {"Conv_0": {"kernel": "x", "bias": {}}}, [1, 2], Runs()],
    ids=["no layer", "a number", "no bias", "a text", "a list", "a call"],
)
def test_anything_else_is_nothing_and_is_not_run(tmp_path, capsys, content):
    assert read_layers(write(tmp_path / "other.pkl", content), network()) is None
    assert capsys.readouterr().out == ""


def test_a_file_of_torchs_is_left_to_torch(tmp_path):
    torch.save(network().state_dict(), tmp_path / "net.pth")
    assert read_layers(tmp_path / "net.pth", network()) is None
