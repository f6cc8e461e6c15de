"""What `python -m benchmarks.confidence` counts."""

import numpy as np

from benchmarks.confidence import area, interval, lowest_quarter, made_up


def test_the_area_is_one_if_wrong_captions_are_less_sure_and_a_half_if_all_are_alike():
    wrong = np.array([True, True, False, False])
    assert area(np.array([-3.0, -2.0, -1.0, -0.5]), wrong) == 1
    assert area(np.array([-0.5, -1.0, -2.0, -3.0]), wrong) == 0
    assert area(np.full(4, -1.0), wrong) == 0.5


def test_the_interval_holds_the_area_and_shrinks_with_more_photos():
    draw = np.random.default_rng(0)
    widths = []
    for photos in (60, 600):
        wrong = draw.random(photos) < 0.4
        confidence = draw.standard_normal(photos) - wrong
        low, high = interval(confidence, wrong)
        assert low < area(confidence, wrong) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_a_quarter_is_the_lowest():
    assert lowest_quarter({"a": 0.1, "b": 0.5, "c": 0.9, "d": 0.7, "e": 0.8}) == {
        "a": True,
        "b": True,
        "c": False,
        "d": False,
        "e": False,
    }


def test_an_object_is_made_up_if_no_person_named_it():
    texts = {"1.jpg": "a dog on a bench", "2.jpg": "a cat", "3.jpg": "it is red"}
    references = {"1.jpg": ["a dog runs"], "2.jpg": ["the cats sleep", "a pet"], "3.jpg": ["a dog"]}
    assert made_up(texts, references) == {"1.jpg": True, "2.jpg": False}
