"""The table by method: what its numbers are, and a planted truth that it finds."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import showtell.explain.check as check_file
from showtell.data.scenes.scenes import read_scenes, scenes
from showtell.data.scenes.world import Scene, Thing
from showtell.explain.check import LAST, RANDOM, SHARES, all_maps, check
from showtell.explain.explain import parts_of
from showtell.explain.truth import hit, hits, named, things_in
from showtell.explain.words import Word
from showtell.features import grid_boxes
from showtell.plumbing.errors import InputError
from showtell.report.checked import as_json, lines
from tests.report.small import small_captioner

from .test_attention import PHOTO

STAR = Thing("red", "star", "small", 0.25, 0.25, 0.2, 0.0)
HEART = Thing("blue", "heart", "large", 0.7, 0.6, 0.3, 0.0)
SCENE = Scene((STAR, HEART), (250, 250, 250))


@pytest.fixture
def photos(tmp_path):
    paths = {}
    for number in range(3):
        PHOTO.rotate(90 * number).save(tmp_path / f"{number}.png")
        paths[f"{number}.png"] = tmp_path / f"{number}.png"
    (tmp_path / "broken.png").write_bytes(b"none")
    return paths | {"broken.png": tmp_path / "broken.png"}


@pytest.mark.slow
def test_all_methods_are_measured_on_the_same_words(photos):
    found = check(small_captioner(), photos, resamples=50)
    assert list(found.table) == ["relevance", "attention", LAST, "occlusion", RANDOM]
    assert found.photos == 3 and found.words > 3 and list(found.failed) == ["broken.png"]
    for tests in found.table.values():
        assert list(tests) == ["deletion", "insertion"]
        assert all(list(shares) == list(SHARES) for shares in tests.values())
    by_chance = found.table[RANDOM]["deletion"][0.2]
    assert (by_chance.difference, by_chance.interval) == (0.0, (0.0, 0.0))


def test_the_numbers_are_means_over_words(photos, monkeypatch):
    """One photo, so no mean over photos: deletion by hand."""
    captioner = small_captioner()
    one = {"0.png": photos["0.png"]}
    found = check(captioner, one, resamples=10)
    parts = parts_of(captioner, captioner.open(photos["0.png"]))
    maps = all_maps(parts)["occlusion"]
    whole = parts.log_probs(torch.ones(1, 16, dtype=torch.bool))[0]
    falls, keeps = [], []
    for number, word in enumerate(parts.words):
        if word.names_something:
            top = torch.zeros(1, 16, dtype=torch.bool)
            top[0, maps[number].topk(3).indices] = True  # 20 % of 16
            falls.append(whole[number] - parts.log_probs(~top)[0, number])
            keeps.append(whole[number] - parts.log_probs(top)[0, number])
    row = found.table["occlusion"]
    assert row["deletion"][0.2].fall == pytest.approx(float(torch.stack(falls).mean()), abs=1e-4)
    assert row["insertion"][0.2].fall == pytest.approx(float(torch.stack(keeps).mean()), abs=1e-4)
    random = found.table[RANDOM]["deletion"][0.2].fall
    assert row["deletion"][0.2].difference == pytest.approx(row["deletion"][0.2].fall - random)


class Planted:
    """Each word needs one part; a captioner whose truth is known."""

    text = "star heart"
    boxes = grid_boxes(4, 4, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0]

    def __init__(self, seed):
        self.words = [Word("star", (0,)), Word("heart", (1,))]
        self.worth = torch.zeros(2, 16)
        for word in range(2):
            self.worth[word, (3 * seed + 5 * word) % 16] = 1.0 + seed / 10

    def log_probs(self, kept):
        return -1 - (~kept).float() @ self.worth.T


def test_a_map_that_is_right_beats_random_places_and_one_that_is_not_does_not(photos, monkeypatch):
    made = iter(range(100))
    monkeypatch.setattr(check_file, "parts_of", lambda captioner, image: Planted(next(made)))
    monkeypatch.setattr(check_file, "all_maps", lambda parts: {"right": parts.worth, "wrong": -parts.worth})
    many = {f"{n}": photos["0.png"] for n in range(20)}
    found = check(small_captioner(), many, resamples=200)
    right, wrong = found.table["right"]["deletion"][0.2], found.table["wrong"]["deletion"][0.2]
    assert right.fall == pytest.approx(sum(1 + n / 10 for n in range(20)) / 20)
    assert right.p < 0.01 and right.interval[0] > 0
    assert wrong.fall == 0 and wrong.difference < 0
    text = "\n".join(lines(found, "tiny"))
    assert "wrong does not beat random places" in text and "right does not" not in text
    assert "costs more than to keep" not in text  # of the right map
    worse = found.table["right"]["insertion"][0.2]._replace(difference=0.3, p=0.01)
    found.table["right"]["insertion"][0.2] = worse
    assert "right: to keep only what it points at costs more" in "\n".join(lines(found, "tiny"))
    assert "tiny: 40 words that name something, in captions of 20 photos" in text
    assert as_json(found, "showtell explain")["table"]["right"]["deletion"]["20%"]["p"] == right.p


@pytest.mark.parametrize("count", [1, 2, 5, 6, 9, 10])
def test_few_photos_have_no_small_p(count, photos, monkeypatch):
    made = iter(range(100))
    monkeypatch.setattr(check_file, "parts_of", lambda captioner, image: Planted(next(made)))
    monkeypatch.setattr(check_file, "all_maps", lambda parts: {"right": parts.worth, "wrong": -parts.worth})
    found = check(small_captioner(), {f"{n}": photos["0.png"] for n in range(count)})
    row = found.table["right"]["deletion"][0.2]
    text = "\n".join(lines(found, "tiny"))
    if count == 1:
        assert row.interval is None and row.p is None and "1 photo is too little" in text and "p =" not in text
    else:
        assert row.p >= 2 ** (1 - count) and row.interval[0] > 0
        assert (f"{count} photos are few" in text) == (count < 10)
    assert ("wrong does not beat" in text) == (count > 5)  # five photos could not show it
    assert "right does not beat" not in text
    as_json(found)


def test_photos_whose_captions_name_nothing_are_one_line(photos, monkeypatch):
    captioner = small_captioner()
    captioner.decoder.bias.data[captioner.tokenizer.special.eos] = 100.0
    captioner.decode = {"name": "greedy", "max_length": 9, "min_length": 0}
    with pytest.raises(InputError, match="no caption of these photos") as error:
        check(captioner, photos)
    assert "other photos" in error.value.advice


def test_a_things_name_is_the_shape_behind_its_colour():
    found = named(["a", "red", "star", "is", "left", "of", "a", "blue", "heart", "and", "a", "red", "heart"], SCENE)
    assert list(found) == [2, 8]  # there is no red heart
    assert_close(found[2], torch.tensor([0.15, 0.15, 0.35, 0.35]))
    assert_close(found[8], torch.tensor([0.55, 0.45, 0.85, 0.75]))


def test_a_hit_touches_the_box_or_lies_in_it_and_a_share_of_the_map_does():
    boxes = grid_boxes(4, 4, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0]
    box = torch.tensor([0.25, 0.25, 0.6, 0.5])  # the second cell of the second row, and parts of the third
    weights = torch.zeros(16)
    weights[5], weights[6], weights[0] = 2.0, 1.0, -9.0
    found = hit(weights, boxes, box)
    assert (found.touches, found.inside) == (1.0, 1.0)
    assert found.share == pytest.approx((2 + 0.4) / 3, abs=1e-5)  # of the third cell, .1 of .25 lie in the box
    weights[6] = 5.0
    assert hit(weights, boxes, box)[:2] == (1.0, 0.0)  # it touches, but its centre lies outside
    even = hit(torch.ones(16), boxes, box, even=True)
    assert even[:2] == (pytest.approx(2 / 16), pytest.approx(1 / 16))


def test_scenes_have_a_truth_and_photos_have_none(tmp_path):
    record = scenes(root=tmp_path / "scenes", images=2, val_images=0, test_images=0, size=32)[0]
    scene = things_in(record.path)
    assert scene == read_scenes(record.path.parent)[record.image_id]
    assert things_in(tmp_path / "photo.jpg") is None
    parts = Planted(0)
    parts.words = [Word(text, (0,)) for text in (scene.things[0].colour, scene.things[0].shape)]
    found = hits(parts, {"some": torch.rand(2, 16)}, scene)
    assert {name: len(each) for name, each in found.items()} == {"some": 1, "random": 1}
    assert hits(parts, {"some": torch.rand(2, 16)}, None) == {}


@pytest.mark.slow
def test_a_check_of_scenes_says_how_often_maps_point_into_things(tmp_path):
    records = scenes(root=tmp_path / "scenes", images=4, val_images=0, test_images=0, size=32)
    captioner = small_captioner()
    texts = {record.image_id: record.references[0] for record in records}

    def say(features, **decode):
        image_id = next(pending)
        return [captioner_describe(features)[0]._replace(text=texts[image_id], tokens=said[image_id])]

    captioner_describe = captioner.describe
    ids = captioner.tokenizer.ids
    said = {name: [1, ids["red"], ids["star"], ids["blue"], ids["heart"], 2] for name in texts}
    pending = iter(texts)
    captioner.describe = say
    found = check(captioner, {record.image_id: record.path for record in records}, resamples=10)
    things = sum(
        (thing.colour, thing.shape) in {("red", "star"), ("blue", "heart")}
        for scene in read_scenes(tmp_path / "scenes").values()
        for thing in scene.things
    )
    assert found.things == things
    assert bool(found.truth) == bool(things)


def test_a_black_photo_is_no_problem(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "black.png")
    found = check(small_captioner(), {"black.png": tmp_path / "black.png"}, resamples=10)
    assert found.photos == 1
