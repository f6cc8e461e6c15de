"""Figures of the candidates alone, against their plainest definitions."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics import METRICS
from showtell.metrics.metric import Texts
from showtell.metrics.score import score
from showtell.plumbing.errors import InputError

NAMES = ["distinct-1", "distinct-2", "vocabulary", "repeats-2", "repeats-4", "length", "identical"]
captions = st.lists(st.sampled_from(["a", "b", "c", "new", "other"]), max_size=8).map(" ".join)
SAID = {"a": "a dog and a dog", "b": "a dog", "c": "a dog", "d": ""}


def whole(name, said, known="a b c"):
    metric = METRICS[name]
    return float(metric.value(metric.statistics(Texts(said, [[known]] * len(said))).sum(axis=0), len(said)))


def grams(text, n):
    words = text.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def share(part, everything):
    return part / everything if everything else 0


@pytest.mark.slow
@settings(max_examples=80)
@given(st.lists(captions, min_size=1, max_size=6))
def test_values_are_those_of_the_definitions(said):
    for n in (1, 2):
        everything = [gram for text in said for gram in grams(text, n)]
        assert whole(f"distinct-{n}", said) == pytest.approx(share(len(set(everything)), len(everything)))
    assert whole("vocabulary", said) == len({word for text in said for word in text.split()})
    for n in (2, 4):
        each = [grams(text, n) for text in said]
        again = sum(len(of_text) - len(set(of_text)) for of_text in each)
        assert whole(f"repeats-{n}", said) == pytest.approx(share(again, sum(map(len, each))))
    assert whole("length", said) == pytest.approx(sum(len(text.split()) for text in said) / len(said))
    times = Counter(said)
    assert whole("identical", said) == pytest.approx(sum(times[text] > 1 for text in said) / len(said))


def test_what_the_references_say_does_not_matter():
    said = ["a dog runs", "a dog sits", "two dogs"]
    for name in NAMES:
        assert whole(name, said, "a dog") == whole(name, said, "nothing of it")


def test_values_by_hand():
    """a dog and a dog / a dog / a dog / nothing: 9 words, 3 different ones; 6 pairs, 3 different ones, 1 said again."""
    found = score(SAID, {image_id: ["a cat"] for image_id in SAID}, NAMES)
    values = {name: found[name].value for name in NAMES}
    assert values == pytest.approx(
        {
            "distinct-1": 3 / 9,
            "distinct-2": 3 / 6,
            "vocabulary": 3,
            "repeats-2": 1 / 6,
            "repeats-4": 0,
            "length": 9 / 4,
            "identical": 2 / 4,
        }
    )
    assert found["vocabulary"].value == 3  # whole, though made of thirds


def test_an_images_part_of_the_vocabulary_is_its_share_in_each_word():
    found = score(SAID, {image_id: ["a cat"] for image_id in SAID}, "vocabulary")["vocabulary"]
    assert found.per_image == pytest.approx({"a": 2 * 2 / 4 + 1, "b": 2 / 4, "c": 2 / 4, "d": 0})


@pytest.mark.parametrize("name", NAMES)
def test_candidates_without_a_word_are_scored(name):
    assert whole(name, ["", ""]) == (1 if name == "identical" else 0)
    assert not math.isnan(whole(name, ["a"]))


def test_a_figure_of_the_whole_set_has_no_interval():
    """A resample holds some images twice: it would say less than any set of so many."""
    found = score(SAID, {image_id: ["a cat"] for image_id in SAID}, NAMES)
    assert [name for name in NAMES if found[name].interval is None] == NAMES[:3] + NAMES[-1:]
    assert found["length"].interval[0] < 9 / 4 < found["length"].interval[1]


def test_a_copy_has_the_words_of_a_training_caption():
    known = {image_id: ["a cat"] for image_id in SAID}
    found = score(SAID, known, "copied", training=["A dog.", "a DOG", "a red dog"])["copied"]
    assert found.per_image == {"a": 0, "b": 1, "c": 1, "d": 0} and found.value == 0.5
    assert "|3 different training captions|" in found.signature


def test_copies_cannot_be_told_without_the_training_captions():
    known = {image_id: ["a cat"] for image_id in SAID}
    assert "--training FILE" in score(SAID, known).left_out["copied"]
    with pytest.raises(InputError, match=r"^copied needs the training captions; .*--training FILE"):
        score(SAID, known, "copied")
    assert METRICS["copied"].missing(None) is None


def test_an_empty_training_set_has_no_copies():
    assert np.isclose(score({"a": "dog"}, {"a": ["dog"]}, "copied", training=[])["copied"].value, 0)
