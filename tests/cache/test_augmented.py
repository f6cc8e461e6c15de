from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file

from showtell.cache import Augmented, encode, open_augmented
from showtell.data.record import Record
from showtell.encoders import ConvNet, Lite
from showtell.encoders.turned import VIEWS
from showtell.plumbing.errors import RecipeError
from showtell.regions import REGIONS

QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOWTELL_CACHE", str(tmp_path / "cache"))


def draw(folder: Path, captions: list[str]) -> list[Record]:
    folder.mkdir()
    records = []
    for number, caption in enumerate(captions):
        noise = torch.randint(0, 256, (6, 5, 3), generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(noise.numpy()).resize((50, 60)).save(path)
        records.append(Record(path.name, path, (caption,), "train"))
    return records


def test_a_square_lies_in_eight_different_ways():
    photo = Image.frombytes("L", (3, 3), bytes(range(9)))
    assert len({photo.tobytes(), *(view.of(photo).tobytes() for view in VIEWS["d4"])}) == 8


def test_a_corner_has_four_fifths_of_either_side_and_something_of_a_photo_of_one_pixel():
    photo = Image.frombytes("L", (10, 5), bytes(range(50)))
    parts = [view.of(photo) for view in VIEWS["crops"][1:]]
    assert [part.size for part in parts] == [(8, 4)] * 4
    corners = [(0, 0), (7, 0), (0, 3), (7, 3)]  # of the part: where the photo's own corner lies, mirrored or not
    mirrored = [False, True, True, False]
    seen = [
        part.getpixel((7 - x if turned else x, y))
        for part, (x, y), turned in zip(parts, corners, mirrored, strict=True)
    ]
    assert seen == [0, 9, 40, 49]
    assert all(view.of(photo.crop((0, 0, 1, 1))).size == (1, 1) for view in VIEWS["crops"])


@pytest.mark.slow
@pytest.mark.parametrize("turns", ["flip", "crops", "d4"])
def test_every_image_is_seen_upright_and_in_every_turn_and_each_is_the_live_encoding_of_the_turned_photo(
    tmp_path, turns
):
    records, encoder = draw(tmp_path / "photos", ["a sea", "a harbour"]), Lite(image_size=64)
    source = open_augmented(records, encoder, turns, QUIET)
    photos = [Image.open(record.path).convert("RGB") for record in records]
    live = [encode(encoder, [p, *(view.of(p) for view in VIEWS[turns])]).tokens for p in photos]
    torch.manual_seed(0)
    seen: list[set[int]] = [set(), set()]
    for _ in range(60):
        features = source([1, 0, 1])
        for tokens, image in zip(features.tokens, [1, 0, 1], strict=True):
            distance = (live[image] - tokens).abs().amax((1, 2))
            assert distance.min() < 1e-2 * tokens.abs().max()
            seen[image].add(int(distance.argmin()))
    assert seen == [set(range(len(live[0])))] * 2


def test_turned_photos_are_read_as_well_where_a_cpu_computes_in_bf16(tmp_path):
    source = open_augmented(draw(tmp_path / "photos", ["a sea"] * 3), Lite(image_size=64), "flip", QUIET)
    torch.manual_seed(0)
    plain = source.read([0, 1, 2])
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = source.read([0, 1, 2])
    assert all(torch.equal(plain[name], mixed[name]) for name in plain)


def test_a_photo_whose_captions_speak_of_directions_stays_upright(tmp_path):
    records, encoder = draw(tmp_path / "photos", ["a dog on the left", "a dog"]), Lite(image_size=64)
    source = open_augmented(records, encoder, "flip", QUIET)
    dog = [source([0]).tokens for _ in range(20)]
    assert all(torch.equal(tokens, dog[0]) for tokens in dog)
    assert not all(torch.equal(source([1]).tokens, source([1]).tokens) for _ in range(20))


def test_an_encoder_that_trains_sees_turned_pixels_and_gets_gradients(tmp_path):
    records, encoder = draw(tmp_path / "photos", ["a sea"] * 3), ConvNet(image_size=32, grid_size=4, width=4, dim=8)
    source = open_augmented(records, encoder, "flip", QUIET)
    assert isinstance(source, Augmented)
    source([0, 1, 2]).tokens.sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    views = {bytes(source.read([0])["pixels"].numpy().tobytes()) for _ in range(20)}
    assert len(views) == 2


def test_features_that_others_computed_cannot_be_turned(tmp_path):
    records = draw(tmp_path / "photos", ["a sea"])
    save_file({"0.png": torch.ones(3, 4)}, tmp_path / "features.safetensors")
    given = REGIONS["precomputed"](file=str(tmp_path / "features.safetensors"))
    with pytest.raises(RecipeError, match=r"^train.augment is 'flip'; it takes none .*; set train.augment=none$"):
        open_augmented(records, given, "flip", QUIET)
