"""What holds for every encoder of the table, each at its tiniest; an entry without a line in TINY runs as it is."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from showtell.encoders import ENCODERS, Encoder
from showtell.plumbing.torchvision_repair import repair_torchvision
from tests.clip.tiny import write_open_clip, write_transformers

TINY: dict[str, list[dict[str, Any]]] = {
    "cnn": [{"image_size": 24, "grid_size": 3, "width": 4, "dim": 6}],
    "lite": [
        {"image_size": 96},
        {"image_size": 96, "resize": "crop", "grid_size": 2},
        {"image_size": 96, "trainable": 2, "grid_size": 2},
        {"image_size": 96, "trainable": "all"},
        {"image_size": 96, "version": 2},
        {"image_size": 96, "version": 2, "trainable": 3},
    ],
    "timm": [
        {"model": "test_vit", "weights": "random", "image_size": 48},
        {"model": "test_vit", "weights": "random", "image_size": 48, "trainable": 2, "grid_size": 2},
        {"model": "test_vit", "weights": "random", "image_size": 48, "trainable": "all"},
        {"model": "test_resnet", "weights": "random", "image_size": 96, "resize": "crop"},
        {"model": "test_resnet", "weights": "random", "image_size": 96, "trainable": 1},
        {"model": "test_convnext", "weights": "random", "image_size": 96},
    ],
    "clip": [
        {"model": "transformers"},
        {"model": "transformers", "space": "joint", "trainable": 1, "grid_size": 2},
        {"model": "open_clip", "space": "joint", "resize": "stretch"},
        {"model": "open_clip", "trainable": "all"},
    ],
    "concat": [
        {"parts": [{"image_size": 96}, {"name": "timm", "model": "test_vit", "weights": "random", "image_size": 96}]},
        {"parts": [{"image_size": 96, "resize": "crop"}] * 2, "grid_size": 2},
    ],
}
CASES = [  # after the first case of each encoder come slow tests
    pytest.param(
        (name, settings),
        id="-".join([name, *(str(value) for value in settings.values())]),
        marks=[pytest.mark.slow] * (number > 0),
    )
    for name in ENCODERS
    for number, settings in enumerate(TINY.get(name, [{}]))
]


@functools.cache
def tiny_clip(library: str) -> str:
    """The name of a tiny CLIP of that library, written once."""
    repair_torchvision()
    pytest.importorskip("transformers")
    pytest.importorskip("open_clip")
    folder = write_transformers(Path(tempfile.mkdtemp()) / "clip")
    if library == "transformers":
        return str(folder)
    return f"open_clip:{write_open_clip(folder.parent / 'open_clip', folder)}"


def build(name: str, settings: dict[str, Any]) -> Encoder:
    model = {"model": tiny_clip(settings["model"])} if name == "clip" else {}
    return ENCODERS[name](**{**settings, **model})


@pytest.fixture(params=CASES)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    torch.manual_seed(0)
    return build(*request.param)


def photo(seed: int, width: int = 61, height: int = 47) -> Image.Image:
    noise = torch.randint(0, 256, (5, 7, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return Image.fromarray(noise.numpy()).resize((width, height), Image.Resampling.BICUBIC)


def batch(encoder: Encoder) -> tuple[Tensor, Tensor]:
    pairs = [encoder.transform(photo(seed)) for seed in range(2)]
    return torch.stack([pixels for pixels, _ in pairs]), torch.stack([view for _, view in pairs])


def test_pixels_are_bytes_of_the_stated_size_and_the_same_each_time(encoder: Encoder) -> None:
    pixels, view = encoder.transform(photo(3))
    assert pixels.dtype == torch.uint8 and pixels.shape == (3, encoder.image_size, encoder.image_size)
    assert torch.equal(pixels, encoder.transform(photo(3))[0]) and view.shape == (4,)


def test_features_have_the_stated_width_and_are_finite_and_real(encoder: Encoder) -> None:
    features = encoder.eval()(*batch(encoder))
    images, tokens, dim = features.tokens.shape
    assert (images, dim) == (2, encoder.dim) and features.pooled.shape == (2, dim)
    assert features.mask.shape == (2, tokens) and features.mask.dtype == torch.bool and features.mask.all()
    assert features.tokens.isfinite().all() and features.pooled.isfinite().all()
    assert not torch.equal(features.pooled[0], features.pooled[1]), "the photo matters"


def test_boxes_tile_the_view_before_and_after_pooling(encoder: Encoder) -> None:
    pixels, view = batch(encoder)
    native = encoder.eval()(pixels, view)
    for features in (native, encoder.pool(native)):
        left, top, right, bottom = features.boxes.unbind(-1)  # B N each
        assert features.boxes.min() >= 0 and features.boxes.max() <= 1
        area = ((right - left) * (bottom - top)).sum(1)
        torch.testing.assert_close(area, (view[:, 2] - view[:, 0]) * (view[:, 3] - view[:, 1]))
        corners = torch.stack([part.amin(1) for part in (left, top)] + [part.amax(1) for part in (right, bottom)], 1)
        torch.testing.assert_close(corners, view)
        assert features.boxes[0].unique(dim=0).shape[0] == features.tokens.shape[1]


def test_pooling_keeps_the_vector_and_gives_the_grid_that_was_asked_for(encoder: Encoder) -> None:
    native = encoder.eval()(*batch(encoder))
    features = encoder.pool(native)
    wanted = getattr(encoder, "grid_size", None)
    assert features.tokens.shape[1] == (wanted**2 if wanted else native.tokens.shape[1])
    assert torch.equal(features.pooled, native.pooled)


def test_evaluation_is_deterministic_and_does_not_mix_images(encoder: Encoder) -> None:
    pixels, view = batch(encoder)
    encoder.eval()
    both, again = encoder(pixels, view), encoder(pixels, view)
    assert torch.equal(both.tokens, again.tokens) and torch.equal(both.pooled, again.pooled)
    alone = encoder(pixels[1:], view[1:])
    torch.testing.assert_close(alone.pooled[0], both.pooled[1], rtol=2e-3, atol=2e-3)


def test_frozen_parts_stay_in_eval_mode(encoder: Encoder) -> None:
    encoder.train()
    for name, module in encoder.named_modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            assert not any(part.training for part in module.modules()), name
    assert any(module.training for module in encoder.modules()) == encoder.trains


def test_gradients_reach_all_that_trains_and_nothing_else(encoder: Encoder) -> None:
    before = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
    features = encoder.train()(*batch(encoder))
    assert features.tokens.requires_grad == encoder.trains == any(p.requires_grad for p in encoder.parameters())
    if encoder.trains:
        (features.tokens.square().sum() + features.pooled.square().sum()).backward()
        for name, parameter in encoder.named_parameters():
            assert (parameter.grad is not None) == parameter.requires_grad, name
    else:
        assert all(torch.equal(buffer, before[name]) for name, buffer in encoder.named_buffers())


def test_features_of_a_frozen_encoder_survive_fp16(encoder: Encoder) -> None:
    if encoder.trains:
        pytest.skip("trains")
    features = encoder(*batch(encoder))
    for part in (features.tokens, features.pooled):
        assert part.dtype == torch.float and torch.equal(part, part.half().float())


def test_a_saved_state_gives_the_same_features(encoder: Encoder, request: pytest.FixtureRequest) -> None:
    name, settings = request.node.callspec.params["encoder"]
    torch.manual_seed(1)
    other = build(name, settings).eval()
    pixels, view = batch(encoder)
    encoder.train()(pixels, view)  # moves the statistics of batch norm, where they train
    assert encoder.reloadable or not torch.equal(encoder.eval()(pixels, view).pooled, other(pixels, view).pooled)
    assert other.load_state_dict(encoder.state_dict()).missing_keys == []
    assert torch.equal(encoder.eval()(pixels, view).tokens, other(pixels, view).tokens)
    assert other.fingerprint == encoder.fingerprint


def test_the_fingerprint_knows_weights_where_they_are_frozen(encoder: Encoder) -> None:
    before = encoder.fingerprint
    assert before == encoder.fingerprint
    with torch.no_grad():
        next(encoder.parameters()).view(-1)[0] += 1
    assert (before == encoder.fingerprint) == encoder.trains
