"""Encoders side by side: what each part says, cell by cell; parts that cannot stand together are told apart."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from showtell.cache import encode, open_source
from showtell.data.record import Record
from showtell.encoders import ENCODERS
from showtell.encoders.grid import pool_grid
from showtell.plumbing.errors import RecipeError
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.settings.text import load_recipe
from tests.small import train_small

SMALL: dict[str, Any] = {"name": "lite", "image_size": 96}
VIT: dict[str, Any] = {"name": "timm", "model": "test_vit", "weights": "random", "image_size": 96}
MISTAKES = {
    "[lite]": "encoder.parts is ['lite']; it takes a list of at least 2",
    "lite": "encoder.parts is 'lite'; it takes a list: [lite]",
    "[lite, {name: tim}]": "encoder.parts[1].name is 'tim'; it takes cnn, timm, lite, clip, concat "
    "(did you mean timm?)",
    "[lite, {name: lite, size: 2}]": "encoder.parts[1].size is not an option of 'lite'; it takes version, image_size, "
    "grid_size, trainable, resize (did you mean resize?)",
}
APART = {
    "[lite, {name: lite, image_size: 96}]": r"encoder.parts\[1\] reads other pixels \(96 x 96\) .*same image_size",
    "[lite, {name: lite, resize: crop}]": r"encoder.parts\[1\] reads other pixels \(224 x 224\) .*same .*resize",
    "[lite, {name: lite, trainable: 1}]": r"encoder.parts\[1\] trains; concat takes frozen encoders; remove",
    "[lite, {name: lite, image_size: 8}]": r"encoder.parts\[1\].image_size is 8; lite takes 32 or more",
    "[lite, {name: lite, grid_size: 2}]": r"encoder.parts\[1\].grid_size is 2; .*set encoder.grid_size=2",
}


def test_every_cell_has_the_channels_of_all_parts() -> None:
    torch.manual_seed(0)
    both = ENCODERS["concat"](parts=(SMALL, VIT))
    pixels, view = both.transform(Image.effect_noise((120, 90), 90).convert("RGB"))
    seen = both(pixels[None], view[None])
    first, second = (part(pixels[None], view[None]) for part in both.parts)
    wide = first.tokens.shape[-1]
    assert (first.tokens.shape[1], second.tokens.shape[1]) == (9, 36), "the ViT's cells are a quarter as large"
    assert torch.equal(seen.tokens[..., :wide], first.tokens) and torch.equal(seen.boxes, first.boxes)
    assert torch.equal(seen.tokens[..., wide:], pool_grid(second, 3).tokens.half().float())
    assert torch.equal(seen.pooled, torch.cat([first.pooled, second.pooled], dim=-1))


@pytest.mark.slow
def test_what_a_part_is_changes_what_is_cached() -> None:
    names = {ENCODERS["concat"](parts=parts).fingerprint for parts in ((SMALL, SMALL), (SMALL, SMALL, SMALL))}
    resized = {**SMALL, "resize": "crop"}
    assert len(names | {ENCODERS["concat"](parts=(resized, resized)).fingerprint}) == 3


@pytest.mark.slow
def test_every_part_is_cached_once_for_all_that_have_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = ENCODERS["lite"](image_size=96), ENCODERS["timm"](**{k: v for k, v in VIT.items() if k != "name"})
    Image.effect_noise((120, 90), 90).convert("RGB").save(tmp_path / "photo.png")
    records = [Record("0", tmp_path / "photo.png", ("a sea",), "train")]
    both = ENCODERS["concat"](parts=(SMALL, VIT), grid_size=2)
    both.parts[1] = second
    settings: dict[str, Any] = {"folder": tmp_path / "cache", "progress": False}
    for part in (first, second):
        open_source(records, part, **settings)
    before = sorted((tmp_path / "cache").iterdir())
    cached = open_source(records, both, **settings)([0])
    assert sorted((tmp_path / "cache").iterdir()) == before and len(before) == 3, "two encoders' and the digests"
    live = encode(both, [Image.open(tmp_path / "photo.png").convert("RGB")])
    for name, part in live._asdict().items():
        torch.testing.assert_close(getattr(cached, name), part, rtol=0, atol=0.01)
    assert cached.tokens.shape == (1, 4, both.dim)


@pytest.mark.parametrize("parts", MISTAKES)
def test_a_mistake_inside_of_a_part_is_told_where_it_stands(parts: str) -> None:
    with pytest.raises(RecipeError, match=f"^{re.escape(MISTAKES[parts])}$"):
        check(load_recipe("bern-6", ["encoder=concat", f"encoder.parts={parts}"]))


@pytest.mark.parametrize("parts", APART)
def test_parts_that_cannot_stand_together(parts: str) -> None:
    recipe = check(load_recipe("bern-6", ["encoder=concat", f"encoder.parts={parts}"]))
    with pytest.raises(RecipeError, match=f"^{APART[parts]}"):
        build(recipe, "encoder")


@pytest.mark.slow
def test_a_run_trains_on_them_and_is_loaded_again(tmp_path: Path) -> None:
    import showtell

    train_small(tmp_path / "run", "encoder=concat", "encoder.parts=[{image_size: 64}, {image_size: 64}]")
    captioner = showtell.load(tmp_path / "run")
    assert captioner.encoder.dim == 2 * 1280
    assert captioner.caption([Image.new("RGB", (64, 48))])
