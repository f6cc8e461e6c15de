import copy
from typing import Literal

import pytest
import torch

from showtell.encoders import Lite
from showtell.encoders.lite import encoder as lite
from showtell.encoders.lite import fused
from showtell.encoders.lite.encoder import SameConv, published
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.torchvision_repair import repair_torchvision

PIXELS = torch.randint(0, 256, (2, 3, 65, 65), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def reference(version: int) -> torch.nn.Module:
    """timm's TensorFlow-padded network with the same file, batch norm and all; its tensors come in the same order."""
    repair_torchvision()
    import timm

    network = timm.create_model(f"tf_efficientnet_lite{version}", num_classes=1000)
    network.load_state_dict(dict(zip(network.state_dict(), published(version).values(), strict=True)))
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("version", [0, 2])
def test_the_folded_network_equals_the_original_one(version: Literal[0, 2]) -> None:
    with torch.no_grad():
        expected = reference(version).forward_features((PIXELS.float() - 127) / 128)
        features = Lite(version=version, image_size=65)(PIXELS, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))
    assert expected.shape == (2, 1280, 3, 3)
    torch.testing.assert_close(features.tokens, expected.flatten(2).transpose(1, 2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(features.pooled, expected.mean((2, 3)), rtol=1e-3, atol=1e-3)


def test_a_photo_of_tensorflow_padding_gives_half_the_size_rounded_up() -> None:
    for size, kernel in ((8, 3), (9, 3), (8, 5), (9, 5)):
        convolution = SameConv(1, 1, kernel, 2)
        assert convolution(torch.zeros(1, 1, size, size + 2)).shape == (1, 1, (size + 1) // 2, (size + 3) // 2)


def test_the_default_is_seven_cells_a_side() -> None:
    encoder = Lite()
    features = encoder(torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert features.tokens.shape == (1, 49, 1280) and encoder.dim == 1280


def test_sizes_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"^image_size is 31; lite takes 32 or more"):
        Lite(image_size=31)
    with pytest.raises(RecipeError, match=r"^grid_size is 0; it takes 1 or more, or null for"):
        Lite(grid_size=0)
    with pytest.raises(RecipeError, match=r"^resize is 'pad'; it takes stretch, crop$"):
        Lite(resize="pad")  # type: ignore[arg-type]


def features(encoder: Lite, pixels: torch.Tensor = PIXELS) -> torch.Tensor:
    return encoder(pixels, torch.tensor([[0.0, 0.0, 1.0, 1.0]] * len(pixels))).tokens


needs_fused = pytest.mark.skipif(not fused._works(), reason="this torch has no fused convolutions")


@needs_fused
@pytest.mark.parametrize("version", [0, 2])
def test_fused_layers_give_the_plain_ones_features(monkeypatch: pytest.MonkeyPatch, version: Literal[0, 2]) -> None:
    encoder = Lite(version=version, image_size=65)
    fast = features(encoder)
    monkeypatch.setattr(lite, "fuses", lambda x: False)
    monkeypatch.setattr(lite, "convolve", None)
    plain = features(encoder)
    assert torch.cosine_similarity(fast, plain, dim=-1).min() > 0.99999
    torch.testing.assert_close(fast, plain, rtol=1e-3, atol=1e-3)  # one rounding to fp16


@pytest.mark.slow
@needs_fused
def test_a_photos_features_do_not_depend_on_its_batch() -> None:
    pixels = torch.randint(0, 256, (7, 3, 96, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    encoder = Lite(image_size=96)
    alone = torch.cat([features(encoder, one) for one in pixels.split(1)])
    assert torch.equal(features(encoder, pixels), alone)
    assert torch.equal(torch.cat([features(encoder, some) for some in pixels.split(4)]), alone)


@needs_fused
def test_weights_changed_after_they_were_laid_out_are_seen() -> None:
    encoder = Lite(image_size=65)
    before = features(encoder)
    other = copy.deepcopy(encoder)
    with torch.no_grad():
        next(other.parameters()).mul_(0.5)
    assert not torch.equal(features(other), before) and torch.equal(features(encoder), before)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(features(other), before)


def test_operators_that_mean_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1)
    with torch.no_grad():
        for wrong in (lambda layer, x, **more: x, None):
            monkeypatch.setattr(fused, "convolve", wrong)
            fused._works.cache_clear()
            assert not fused.fuses(x)
    monkeypatch.undo()
    fused._works.cache_clear()
    assert not fused.fuses(x), "gradients are on"


def test_trying_the_operators_draws_nothing_from_the_generator() -> None:
    """Else a run would go another way in the process that encodes first than in one that resumes it."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    fused._works.cache_clear()
    fused._works()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("trainable", "layers"), [(1, 2), (3, 7), (9, 20), ("all", 20)])
def test_the_last_stages_train_from_the_features_that_it_has_frozen(trainable, layers) -> None:
    encoder = Lite(image_size=65, trainable=trainable)
    found = features(encoder)
    torch.testing.assert_close(found, features(Lite(image_size=65)), rtol=1e-3, atol=1e-3)
    (found**2).sum().backward()
    moved = [any(p.grad is not None and bool(p.grad.any()) for p in layer.parameters()) for layer in encoder.layers]
    has_weights = [any(True for _ in layer.parameters()) for layer in encoder.layers]
    assert moved == [place >= 20 - layers and weights for place, weights in enumerate(has_weights)]


def test_trainable_is_none_all_or_a_number_of_stages() -> None:
    for wrong in (0, 10, -1):
        with pytest.raises(RecipeError) as caught:
            Lite(trainable=wrong)
        assert (caught.value.key, caught.value.value) == ("trainable", wrong)
        assert caught.value.takes == "none, all or 1 to 9"
