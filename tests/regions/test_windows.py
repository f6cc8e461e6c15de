"""Windows are the encoder on crops that are cut by hand, and nothing else; their boxes say where they lie."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from showtell.cache import encode, open_source
from showtell.data.images import ORIENTATION
from showtell.data.record import Record
from showtell.encoders import ENCODERS, Encoder
from showtell.features import Features
from showtell.plumbing.errors import RecipeError
from showtell.regions.crops import Pool, pooled
from showtell.regions.windows import WINDOWS, Windows, windows


@pytest.fixture(scope="module")
def lite() -> Encoder:
    return ENCODERS["lite"](image_size=32)


def photo(width: int = 61, height: int = 47, seed: int = 0) -> Image.Image:
    noise = torch.randint(0, 256, (5, 7, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return Image.fromarray(noise.numpy()).resize((width, height), Image.Resampling.BICUBIC)


def test_windows_are_the_photo_and_nine_that_overlap_by_half() -> None:
    assert windows(8, 12) == [
        (0, 0, 8, 12),
        *((0, 0, 4, 6), (2, 0, 6, 6), (4, 0, 8, 6)),
        *((0, 3, 4, 9), (2, 3, 6, 9), (4, 3, 8, 9)),
        *((0, 6, 4, 12), (2, 6, 6, 12), (4, 6, 8, 12)),
    ]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 1), (7, 4), (257, 1023)], ids=str)
def test_no_window_is_empty_or_leaves_the_photo(size: tuple[int, int]) -> None:
    width, height = size
    for (left, top, right, bottom), wanted in zip(windows(width, height), WINDOWS, strict=True):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert abs(left - wanted[0] * width) <= 1 and abs(bottom - wanted[3] * height) <= 1


@pytest.mark.parametrize("size", [(61, 47), (30, 80), (1, 1)], ids=str)
def test_a_token_is_the_encoders_vector_of_a_crop_cut_by_hand(lite: Encoder, size: tuple[int, int]) -> None:
    image = photo(*size)
    features = encode(Windows(lite), [image])
    for number, (left, top, right, bottom) in enumerate(windows(*size)):
        by_hand = encode(lite, [image.crop((left, top, right, bottom))]).pooled[0]
        torch.testing.assert_close(features.tokens[0, number], by_hand, rtol=2e-3, atol=2e-3)
    assert features.mask.all() and features.tokens.shape == (1, 10, lite.dim)


@pytest.mark.parametrize("size", [(61, 47), (30, 80)], ids=str)
def test_boxes_are_fractions_of_the_photo(lite: Encoder, size: tuple[int, int]) -> None:
    width, height = size
    boxes = encode(Windows(lite), [photo(*size)]).boxes[0]
    wanted = torch.tensor(windows(width, height)) / torch.tensor([width, height, width, height])
    torch.testing.assert_close(boxes, wanted)
    assert boxes[0].tolist() == [0, 0, 1, 1]


def test_boxes_know_that_the_encoder_crops() -> None:
    boxes = encode(Windows(ENCODERS["lite"](image_size=32, resize="crop")), [photo(80, 40)]).boxes[0]
    torch.testing.assert_close(boxes[0], torch.tensor([0.25, 0.0, 0.75, 1.0]))  # the centre square of 80 x 40
    torch.testing.assert_close(boxes[1], torch.tensor([0.125, 0.0, 0.375, 0.5]))  # of its first window, 40 x 20


def test_a_photo_that_is_turned_by_its_exif_has_the_windows_of_the_upright_one(lite: Encoder, tmp_path: Path) -> None:
    upright, turned = tmp_path / "upright.png", tmp_path / "turned.png"
    image, exif = photo(60, 44), Image.Exif()
    exif[ORIENTATION] = 6  # shown turned right by 90 degrees
    image.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    image.save(upright)
    records = [Record(path.name, path, (), "train") for path in (upright, turned)]
    features = open_source(records, Windows(lite), folder=tmp_path / "cache")([0, 1])
    for part in features:
        assert torch.equal(part[0], part[1])


@pytest.mark.parametrize("pool", ["max", "mean", "none"])
def test_live_and_cached_agree_and_all_ways_of_pooling_share_one_cache(
    lite: Encoder, tmp_path: Path, pool: Pool
) -> None:
    images = [photo(seed=seed) for seed in range(5)]
    records = []
    for number, image in enumerate(images):
        image.save(tmp_path / f"{number}.png")
        records.append(Record(f"{number}.png", tmp_path / f"{number}.png", (), "train"))
    encoder = Windows(lite, pool=pool)
    cached = open_source(records, encoder, folder=tmp_path / "cache")(range(5))
    for live, kept in zip(encode(encoder, images), cached, strict=True):
        assert torch.equal(live, kept)
    assert encoder.fingerprint == Windows(lite, pool="max").fingerprint != lite.fingerprint
    tokens = cached.tokens
    wanted = {"max": tokens.amax(1), "mean": tokens.mean(1), "none": tokens[:, 0]}[pool]
    torch.testing.assert_close(cached.pooled, wanted)


def test_pooling_counts_what_is_real_alone() -> None:
    tokens = torch.tensor([[[-3.0, -1.0], [-5.0, -4.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    assert pooled(tokens, mask, "max").tolist() == [[-3.0, -1.0]]
    assert pooled(tokens, mask, "mean").tolist() == [[-4.0, -2.5]]


def test_a_photo_is_read_twice_as_large_as_the_encoder_needs_it(lite: Encoder) -> None:
    assert Windows(lite).image_size == 2 * lite.image_size


def test_weights_that_are_drawn_are_saved_and_others_are_not() -> None:
    drawn = Windows(ENCODERS["timm"](model="test_vit", weights="random", image_size=48))
    assert not drawn.reloadable and Windows(ENCODERS["lite"]()).reloadable
    assert not any(module.training for module in drawn.train().modules())


def test_an_encoder_that_trains_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^encoder trains; regions=windows takes a frozen one; set"):
        Windows(ENCODERS["cnn"](image_size=24, grid_size=3, width=4, dim=6))


def test_a_grid_size_that_would_mean_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"^encoder\.grid_size is 14; .*regions=windows.*remove"):
        Windows(ENCODERS["lite"](grid_size=14))


def test_features_keep_their_form(lite: Encoder) -> None:
    encoder = Windows(lite)
    pixels, view = encoder.transform(photo())
    assert pixels.shape == (10, 3, 32, 32) and pixels.dtype == torch.uint8 and view.shape == (10, 4)
    assert isinstance(encoder(pixels[None], view[None]), Features)
