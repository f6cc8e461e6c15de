"""Accuracy, recall, intervals, tests and mixed pairs, against counts by hand."""

from math import comb

import numpy as np
import pytest

from showtell.zeroshot.classify import Classified, rank_of
from showtell.zeroshot.judged import judge, mixed_pairs, p_of, wilson
from showtell.zeroshot.labels import Labels
from showtell.zeroshot.ways import ways_of

NAMES = ("cat", "dog", "bus")


def classified(scores, truth):
    """Scores (photos, ways, labels)."""
    scores = np.array(scores, dtype=float)
    ids = [f"{number}.jpg" for number in range(len(scores))]
    known = {image_id: place for image_id, place in zip(ids, truth, strict=True) if place is not None}
    ranks = [rank_of(of_photo, place) for of_photo, place in zip(scores, truth, strict=True) if place is not None]
    ways = ways_of(Labels(NAMES), ("{}", "a {}", "the {}")[: max(1, scores.shape[1] - 1)])
    return Classified(
        dict.fromkeys(ids), Labels(NAMES), ways, ids, scores[:, -1], 1.0, "m", truth=known, ranks=np.array(ranks)
    )


def test_shares_are_counted_by_hand():
    right, second, third = [9, 1, 0], [1, 9, 0], [0, 9, 1]  # of a cat
    found = classified([[right], [second], [third], [[0, 9, 1]], [[5, 5, 5]]], [0, 0, 0, 1, None])
    (way,) = judge(found, top=2)
    assert (way.accuracy, way.top, way.p) == (0.5, 0.75, None)
    assert way.recall == pytest.approx((1 / 3 + 1) / 2)
    assert way.interval == wilson(2, 4)


def test_of_equal_scores_the_first_label_wins():
    scores = np.array([[0.5, 0.5, 0.1]])
    assert rank_of(scores, 0).tolist() == [0] and rank_of(scores, 1).tolist() == [1]
    assert classified([[[0.5, 0.5, 0.1]]], [1]).order[0].tolist() == [0, 1, 2]


def test_wilsons_interval():
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998


def test_the_paired_test_is_the_sign_test_of_photos_that_differ():
    first = np.array([1.0] * 20 + [1.0] * 7 + [0.0])
    other = np.array([1.0] * 20 + [0.0] * 7 + [1.0])
    wanted = 2 * sum(comb(8, k) for k in (0, 1)) / 2**8
    assert p_of(first, other) == pytest.approx(wanted)
    assert p_of(first, first) == 1.0 and p_of(first[:1], 1 - first[:1]) == 1.0


def test_ways_are_tested_against_the_best():
    good, bad = [9, 1, 0], [1, 9, 0]
    found = classified([[good, bad, good, good]] * 12, [0] * 12)
    judged = judge(found)
    assert [way.name for way in judged] == ["{}", "a {}", "the {}", "ensemble"]
    assert judged[0].p is None and judged[2].p == 1.0 and judged[3].p == 1.0
    assert judged[1].p == pytest.approx(3 * 2 / 2**12, abs=2e-3)


def test_mixed_pairs_are_counted_both_ways():
    cat_as_dog, dog_as_cat, cat_as_bus, right = [[1, 9, 0]], [[9, 1, 0]], [[1, 0, 9]], [[9, 0, 0]]
    found = classified([cat_as_dog, cat_as_bus, dog_as_cat, dog_as_cat, right], [0, 0, 1, 1, 0])
    first, second = mixed_pairs(found)
    assert first == ("dog", "cat", 2, 1, ("2.jpg", "0.jpg"))
    assert second == ("cat", "bus", 1, 0, ("1.jpg",))
    assert len(mixed_pairs(found, most=1)) == 1
