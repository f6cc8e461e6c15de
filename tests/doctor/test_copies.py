"""Copies of drawn photos are found however they were changed, and photos that only look alike are not."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from showtell.data import Record
from showtell.doctor import likeness
from showtell.doctor.copies import NEAR, SAME_FILE, SAME_PIXELS, Copies, find_copies
from showtell.doctor.photos import see_all
from tests.doctor.drawn import drawing


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return Image.open(file)


def cut(image, left, top, right, bottom):
    width, height = image.size
    return image.crop((width * left, height * top, width * (1 - right), height * (1 - bottom)))


CHANGES = {
    "encoded anew": lambda image: encoded(image, quality=40),
    "half as large": lambda image: image.resize((120, 90)),
    "twice as large": lambda image: image.resize((480, 360)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "with less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "grey": lambda image: image.convert("L"),
    "in warmer colours": lambda image: Image.merge(
        "RGB", [band.point(lambda v, f=f: v * f) for band, f in zip(image.split(), (1.1, 1, 0.9), strict=True)]
    ),
    "cropped on all sides": lambda image: cut(image, 0.04, 0.04, 0.04, 0.04),
    "cropped here more than there": lambda image: cut(image, 0.06, 0.03, 0.03, 0.05),
}


def look(folder, images, splits=None):
    records = []
    for number, image in enumerate(images):
        path = folder / f"{number}.png"
        if image is not None:
            image.save(path)
        records.append(Record(path.name, path, (), splits[number] if splits else "train"))
    seen, unreadable = see_all(records)
    assert not unreadable
    return seen


def names(copies):
    return {frozenset(int(r.path.stem) for r in group.records) for group in copies}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(tmp_path, change):
    originals = [drawing(seed) for seed in range(12)]
    copies, _ = find_copies(look(tmp_path, originals + [CHANGES[change](image) for image in originals]))
    assert names(copies) == {frozenset((i, i + 12)) for i in range(12)}
    assert {group.kind for group in copies} == {NEAR}


@pytest.mark.slow
def test_two_hundred_different_photos_have_no_copies(tmp_path):
    assert find_copies(look(tmp_path, [drawing(seed, (64, 64)) for seed in range(200)])) == ([], 0)


def test_the_same_shapes_in_other_colours_are_another_photo(tmp_path):
    image = drawing(1)
    red, green, blue = image.split()
    copies, _ = find_copies(look(tmp_path, [image, Image.merge("RGB", (blue, green, red))]))
    assert not copies


def test_fields_without_detail_are_not_copies(tmp_path):
    """Two plain walls with a little grain, two gradients: alike from afar."""
    grain = [np.random.default_rng(seed).normal(0, 3, (90, 90, 3)) for seed in range(4)]
    slope = np.linspace(60, 160, 90)[:, None, None]
    fields = [120 + grain[0], 120 + grain[1], slope + grain[2], slope + grain[3]]
    images = [Image.fromarray(field.clip(0, 255).astype(np.uint8)) for field in fields]
    assert find_copies(look(tmp_path, images))[0] == []


def test_same_file_same_pixels_and_nearly_the_same_are_told_apart(tmp_path):
    a, b, c = drawing(1), drawing(2), drawing(3)
    seen = look(tmp_path, [a, a, b, c, encoded(c)])
    b.save(tmp_path / "other.bmp")
    again, _ = see_all([Record("5", tmp_path / "other.bmp", (), "train")])
    copies, _ = find_copies([*seen, *again])
    assert [(group.kind, len(group.records)) for group in copies] == [(SAME_FILE, 2), (SAME_PIXELS, 2), (NEAR, 2)]


def test_copies_across_splits_stand_first_and_are_counted_apart(tmp_path):
    a, b = drawing(1), drawing(2)
    splits = ["train", "train", "train", "val", "test"]
    copies, _ = find_copies(look(tmp_path, [b, b, a, a, encoded(a)], splits))
    assert [(group.kind, group.pairs) for group in copies] == [(NEAR, (0, 3)), (SAME_FILE, (1, 0))]
    assert copies[0].splits == {"train", "val", "test"}


def test_pairs_are_counted_by_split(tmp_path):
    records = [Record(str(i), tmp_path, (), split) for i, split in enumerate(["train"] * 3 + ["val"] * 2)]
    assert Copies(SAME_FILE, tuple(records)).pairs == (3 + 1, 6)


def test_candidates_are_those_of_a_plain_loop(monkeypatch):
    """Small blocks, so that pairs lie within blocks, between them, and in the last one, which is not full."""
    monkeypatch.setattr(likeness, "BLOCK", 7)
    base = np.random.default_rng(0).integers(0, 255, (9, 8, 8)).repeat(8, 1).repeat(8, 2)
    noise = np.random.default_rng(1).normal(0, 25, (24, 64, 64))
    thumbs = (base[np.arange(24) % 9] + noise).clip(0, 255).astype(np.uint8)
    whole, inner = likeness._cells(thumbs), likeness._cells(thumbs, likeness.INNER)
    wanted = {
        (i, j)
        for i in range(24)
        for j in range(i + 1, 24)
        if max(whole[i] @ whole[j], inner[i] @ whole[j], whole[i] @ inner[j]) >= likeness.ALIKE
    }
    looked = []
    found = likeness.candidates(thumbs, looked.append)
    assert {(pair.first, pair.second) for pair in found.pairs} == wanted and len(wanted) > 20
    assert sum(looked) == 24 and found.dropped == 0
    assert [pair.likeness for pair in found.pairs] == sorted((p.likeness for p in found.pairs), reverse=True)


def test_too_many_candidates_are_cut_to_the_most_alike_and_counted(monkeypatch):
    thumbs = np.stack([np.asarray(drawing(0, (64, 64)).convert("L"))] * 12)
    every = likeness.candidates(thumbs)
    assert len(every.pairs) == 66
    monkeypatch.setattr(likeness, "MOST", 10)
    monkeypatch.setattr(likeness, "BLOCK", 5)
    some = likeness.candidates(thumbs)
    assert len(some.pairs) == 10 and some.dropped == 56


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_picture_is_itself_and_no_other(first, second):
    a, b = (np.asarray(drawing(seed, (64, 64)).convert("L")) for seed in (first, second))
    assert likeness.same_picture(a, a)
    assert likeness.same_picture(a, b) == likeness.same_picture(b, a) == (first == second)
