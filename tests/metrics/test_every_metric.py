"""The contract of every metric in the table, and values pinned to six digits.

The values were obtained from pycocoevalcap 1.2 (its Java tokenizer included) for the captions below, written for this.
"""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics import METRICS, cider, score, tokenize
from showtell.metrics.metric import Texts

CANDIDATES = {
    "beach.jpg": "a dog runs along the beach with a ball",
    "kitchen.jpg": "a man a man a man in a kitchen",
    "harbour.jpg": "",
    "kite.jpg": "Two children don't share the red kite.",
    "gate.jpg": "an airplane",
    "cup.jpg": "1 1/2 cups of (hot) coffee",
}
REFERENCES = {
    "beach.jpg": [
        "A brown dog runs on the beach with a ball in its mouth.",
        "A dog is running along a sandy beach",
        "The dog carries a ball by the sea.",
    ],
    "kitchen.jpg": ["A man cooks in the kitchen.", "Someone is cooking dinner; a man watches."],
    "harbour.jpg": ["Two boats in a harbour, seen from above", "boats"],
    "kite.jpg": ["Two children don't share the red kite.", "kids & a kite", "", "The children's kite is red"],
    "gate.jpg": ["A large white airplane is parked at the gate"],
    "cup.jpg": ["1 1/2 cups of coffee", "a cup of hot coffee on a table"],
}
PINNED = {
    "BLEU-1": (0.676919, [1.000000, 0.444444, 0.000000, 1.000000, 0.015099, 0.750000]),
    "BLEU-2": (0.568398, [0.866025, 0.235702, 0.000000, 1.000000, 0.000000, 0.566947]),
    "BLEU-3": (0.491815, [0.685007, 0.000002, 0.000000, 1.000000, 0.000000, 0.474957]),
    "BLEU-4": (0.440493, [0.572125, 0.000000, 0.000000, 1.000000, 0.000000, 0.382603]),
    "ROUGE-L": (0.530911, [0.704185, 0.553288, 0.000000, 1.000000, 0.163102, 0.764890]),
    "CIDEr-D": (1.545547, [2.182287, 0.825196, 0.000000, 2.965286, 0.362337, 2.938178]),
}
PERFECT = {"CIDEr-D": 10.0}  # of a candidate equal to its only reference; 1 for the others

WORDS = ["a", "the", "dog", "cat", "runs", "on", "red", "1\u00a01/2", "(ball)"]
captions = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


@pytest.fixture(params=METRICS)
def name(request):
    return request.param


def texts(pairs):
    return Texts([candidate for candidate, _ in pairs], [references for _, references in pairs])


def whole(metric, rows):
    return metric.value(rows.sum(axis=0), len(rows))


def test_values_equal_coco_captions(name):
    value, per_image = PINNED[name]
    result = score(CANDIDATES, REFERENCES, [name])[name]
    assert result.value == pytest.approx(value, abs=1e-6)
    assert list(result.per_image) == list(CANDIDATES)
    assert list(result.per_image.values()) == pytest.approx(per_image, abs=1e-6)


def test_an_empty_candidate_scores_nothing(name):
    assert score(CANDIDATES, REFERENCES, [name])[name].per_image["harbour.jpg"] == pytest.approx(0, abs=1e-9)


def test_a_candidate_equal_to_its_reference_is_perfect(name):
    said = {"a": "a black dog runs fast", "b": "two red cars in the rain", "c": "snow lies on every roof"}
    result = score(said, {image_id: [text] for image_id, text in said.items()}, [name])[name]
    assert result.value == pytest.approx(PERFECT.get(name, 1), abs=1e-6)


def test_candidates_of_empty_and_of_unseen_words_only_are_scored(name):
    result = score({"a": "", "b": "zzz zzz"}, {"a": [""], "b": ["a dog"]}, [name])[name]
    assert np.isfinite([result.value, *result.per_image.values()]).all()


def test_statistics_have_a_row_for_each_image(name):
    rows = METRICS[name].statistics(texts([("a dog", ["a cat", "a dog runs"]), ("x", ["y"]), ("", ["z"])]))
    assert rows.ndim == 2
    assert METRICS[name].value(rows, 1).shape == (3,)


def test_rows_can_be_resampled(name):
    """A resampled image counts as often as it was drawn, and the order does not matter."""
    metric = METRICS[name]
    said = [
        ("a dog runs on the beach", ["a dog runs on a beach", "dogs"]),
        ("two cars in the red rain of may", ["cars stand in the red rain of may", "two of them"]),
    ]
    rows = metric.statistics(texts(said))
    assert whole(metric, rows[[0, 1, 1]]) == pytest.approx(whole(metric, rows[[1, 0, 1]]))
    assert whole(metric, rows[[1, 1]]) == pytest.approx(whole(metric, rows[[1]]))
    assert whole(metric, rows[[0]]) != pytest.approx(whole(metric, rows[[1]]))


@settings(max_examples=50)
@given(st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=1, max_size=5), st.data())
def test_order_of_images_and_references_does_not_matter(pairs, data):
    order = data.draw(st.permutations(range(len(pairs))))
    turned = [(pairs[i][0], pairs[i][1][::-1]) for i in order]
    for metric in METRICS.values():
        one, other = metric.statistics(texts(pairs)), metric.statistics(texts(turned))
        assert metric.value(one, 1)[order] == pytest.approx(metric.value(other, 1))
        assert whole(metric, one) == pytest.approx(whole(metric, other))


@settings(max_examples=50)
@given(st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=1, max_size=5))
def test_scores_lie_between_nothing_and_perfect(pairs):
    for name, metric in METRICS.items():
        values = metric.value(metric.statistics(texts(pairs)), 1)
        assert ((values >= 0) & (values <= PERFECT.get(name, 1) + 1e-9)).all()


@pytest.mark.parametrize("module", [cider, tokenize])
def test_examples_in_docstrings_are_true(module):
    assert doctest.testmod(module).failed == 0
