"""The explorer of a page: small pictures within a budget, and what cannot be shown."""

import numpy as np
import pytest
from PIL import Image

from showtell.report import explorer as room
from showtell.report.explorer import explorer, thumbnails
from showtell.scoring.comparison import compare
from tests.scoring.test_comparison import KNOWN, TWO


@pytest.fixture
def photos(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    found = {f"{number}.png": tmp_path / f"{number}.png" for number in range(5)}
    for path in found.values():
        Image.fromarray(noise).save(path)
    return found


def test_pictures_shrink_until_all_fit(photos, monkeypatch):
    large, _ = thumbnails(photos)
    monkeypatch.setattr(room, "BUDGET", sum(map(len, large.values())) // 3)
    small, _ = thumbnails(photos)
    assert list(small) == list(photos) and all(text.startswith("data:image/webp;base64,") for text in small.values())
    assert sum(map(len, small.values())) < 0.6 * sum(map(len, large.values()))


def test_a_photo_that_cannot_be_read_has_a_reason_and_no_picture(photos):
    photos["1.png"].write_bytes(b"no photo")
    pictures, unread = thumbnails(photos)
    assert "1.png" not in pictures and len(pictures) == 4 and "not an image" in unread["1.png"]


def test_of_too_many_photos_only_the_text_is_shown(photos, monkeypatch):
    monkeypatch.setattr(room, "MOST", 4)
    assert thumbnails(photos) == ({}, {})


def test_every_photo_has_captions_scores_and_failures_in_the_order_of_the_runs():
    found = compare(TWO, KNOWN, "CIDEr-D,length", resamples=10)
    values = {"CIDEr-D": {run: scores["CIDEr-D"].per_image for run, scores in found.scores.items()}, "METEOR": {}}
    part, _ = explorer(found, values, lambda run, image_id: {"cut": run} if run == "bad" else {}, ["bad", "good"])
    assert part.runs == ["bad", "good"] and part.metrics == [("CIDEr-D", False)] and part.kinds == ["cut"]
    first, name = part.photos[0], next(iter(KNOWN))
    assert first["name"] == name and first["captions"] == [TWO["bad"][name], TWO["good"][name]]
    assert first["values"] == [[round(values["CIDEr-D"][run][name], 4) for run in ("bad", "good")]]
    assert first["failures"] == [{"cut": "bad"}, {}] and part.best == "CIDEr-D"
