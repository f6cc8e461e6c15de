"""Distorted features: how far noise moves them, what is masked, and that the seed and the photo alone decide."""

import pytest
import torch
from torch.testing import assert_close

from showtell.decode.distort import add_noise, deviation, distort, mask_tokens
from showtell.features import Features
from showtell.plumbing.errors import RecipeError

BOTH = {"noise": 0.5, "masked": 0.4, "seed": 3}


def photos(images=3, count=9, dim=400, seed=0):
    """Channels of all scales; the second photo has two tokens masked."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(images, count, dim, generator=generator) * torch.linspace(0.1, 20, dim) + 3
    mask = torch.ones(images, count, dtype=torch.bool)
    mask[1:2, [2 % count, 5 % count]] = False
    real = mask[..., None].float()
    return Features(tokens, mask, (tokens * real).sum(1) / real.sum(1), torch.rand(images, count, 4))


def test_a_channel_of_1_3_1_3_has_the_deviation_1():
    tokens = torch.tensor([[[1.0], [3.0], [1.0], [3.0], [99.0]]])
    mask = torch.tensor([[True, True, True, True, False]])
    assert deviation(Features(tokens, mask, tokens[:, 0], torch.zeros(1, 5, 4))).tolist() == [[1.0]]


def test_the_deviation_of_a_single_token_is_that_of_its_channels():
    features = photos(count=1, images=1)
    assert_close(deviation(features), features.pooled.std(correction=0).expand(1, 400))


@pytest.mark.parametrize("share", [0.1, 1.0, 3.0])
def test_noise_is_a_share_of_each_channels_deviation(share):
    features = photos()
    noisy = add_noise(features, share, seed=0)
    wide = share * deviation(features)
    for noise in ((noisy.tokens - features.tokens) / wide[:, None], (noisy.pooled - features.pooled) / wide):
        assert noise.mean() == pytest.approx(0, abs=0.15) and noise.std() == pytest.approx(1, abs=0.1)
    assert torch.equal(noisy.mask, features.mask) and torch.equal(noisy.boxes, features.boxes)


@pytest.mark.parametrize(("share", "left"), [(0.1, [9, 7]), (0.5, [5, 4]), (0.99, [1, 1])])
def test_a_share_of_the_real_tokens_is_masked(share, left):
    features = photos()
    masked = mask_tokens(features, share, seed=0)
    assert masked.mask.sum(1)[:2].tolist() == left
    assert not (masked.mask & ~features.mask).any() and torch.equal(masked.tokens, features.tokens)
    for b in range(2):  # this pooled vector is the mean of the tokens, and stays it
        assert_close(masked.pooled[b], features.tokens[b, masked.mask[b]].mean(0))


def test_another_photo_is_distorted_in_another_way():
    features = photos(images=20)
    masked = mask_tokens(features, 0.5, seed=0).mask
    assert len({tuple(row) for row in masked[2:].tolist()}) > 10
    noise = add_noise(features, 1.0, seed=0).pooled - features.pooled
    assert (noise[0] != noise[2]).all()


def test_a_photo_is_distorted_alike_in_every_batch_and_beside_any_padding():
    features = photos()
    together = distort(features, **BOTH)
    alone = distort(features.select(torch.tensor([1])), **BOTH)
    assert all(torch.equal(one[1], other[0]) for one, other in zip(together, alone, strict=True))
    wide = Features(
        torch.nn.functional.pad(features.tokens, (0, 0, 0, 2)),
        torch.nn.functional.pad(features.mask, (0, 2)),
        features.pooled,
        torch.nn.functional.pad(features.boxes, (0, 0, 0, 2)),
    )
    padded = distort(wide, **BOTH)
    assert_close(padded.tokens[:, :9], together.tokens)
    assert_close(padded.pooled, together.pooled)
    assert torch.equal(padded.mask[:, :9], together.mask) and not padded.mask[:, 9:].any()


def test_the_seed_decides():
    one, same, other = (distort(photos(), noise=1.0, masked=0.5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.tokens, same.tokens) and torch.equal(one.mask, same.mask)
    assert not torch.equal(one.tokens, other.tokens) and not torch.equal(one.mask, other.mask)


def test_what_several_encoders_see_is_distorted_each_by_itself():
    seen = (photos(), photos(dim=300, seed=1))
    found = distort(seen, **BOTH)
    for part, alone in zip(found, seen, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(part, distort(alone, **BOTH), strict=True))


def test_nothing_changes_the_features_that_were_given():
    features = photos()
    before = [part.clone() for part in features]
    distort(features, **BOTH)
    assert all(torch.equal(one, other) for one, other in zip(before, features, strict=True))


def test_a_single_token_cannot_be_masked():
    with pytest.raises(RecipeError) as error:
        mask_tokens(photos(count=1, images=1), 0.5, seed=0)
    assert (error.value.key, error.value.value) == ("decode.masked", 0.5)
    assert "decode.noise" in str(error.value)
