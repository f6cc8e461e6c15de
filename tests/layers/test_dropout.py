"""Dropout whose coins are bytes: the right share, the same mean, independent, and drawn from torch's generator."""

import pytest
import torch
from torch.testing import assert_close

from showtell.layers.dropout import Dropout, kept


@pytest.fixture(autouse=True)
def same_coins():
    torch.manual_seed(0)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_share_is_dropped_and_the_mean_is_kept(rate):
    mask = kept((400, 997), rate)
    dropped = min(255, round(256 * rate)) / 256
    assert abs(float((mask == 0).float().mean()) - dropped) < 0.003
    assert_close(mask.unique(), torch.tensor([0, 1 / (1 - dropped)]))
    assert abs(float(mask.mean()) - 1) < 4 * (dropped / (1 - dropped) / mask.numel()) ** 0.5


def test_coins_do_not_know_each_other():
    mask = kept((200_003,), 0.5) - 1
    for lag in (*range(1, 18), 64, 512):
        assert abs(float((mask[lag:] * mask[:-lag]).mean())) < 0.01, lag


@pytest.mark.parametrize("shape", [(3, 5, 7), (8,), (1,), (0, 4), ()], ids=str)
def test_any_shape_has_its_mask(shape):
    assert kept(shape, 0.5).shape == shape


def test_coins_come_from_torchs_generator():
    layer, x = Dropout(0.5), torch.ones(5, 11)
    state = torch.get_rng_state()
    first, second = layer(x), layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), first) and not torch.equal(first, second)


def test_nothing_is_dropped_in_evaluation_or_at_rate_0():
    x = torch.ones(5, 11)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


def test_what_was_dropped_gets_no_gradient_and_the_type_stays():
    x = torch.randn(31, 11, dtype=torch.bfloat16, requires_grad=True)
    found = Dropout(0.5).train()(x)
    found.sum().backward()
    assert found.dtype == torch.bfloat16
    assert torch.equal(x.grad * x, found)
    assert set(x.grad.unique().tolist()) == {0.0, 2.0}
