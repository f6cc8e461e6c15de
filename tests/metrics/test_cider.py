"""CIDEr-D: references prepared once, and what is unusual about it. Its values are pinned in test_every_metric."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics.cider import CiderD, statistics
from showtell.metrics.metric import Texts

REFERENCES = [["a dog runs", "the black dog runs fast"], ["two red cars", "cars in the rain"], ["a cat"]]
captions = st.lists(st.sampled_from(["a", "b", "c", "d", "new"]), max_size=7).map(" ".join)
known = st.lists(st.sampled_from("abcd"), max_size=7).map(" ".join)
pairs = st.lists(st.tuples(captions, st.lists(known, min_size=1, max_size=3)), min_size=1, max_size=4)


def plain(candidates, references):
    """The definition, n-gram by n-gram."""
    having = Counter(gram for texts in references for gram in {gram for text in texts for gram in grams(text)})
    values = []
    for candidate, texts in zip(candidates, references, strict=True):
        total = 0.0
        for text in texts:
            ours, theirs = weigh(candidate, having, len(references)), weigh(text, having, len(references))
            gap = max(0, len(candidate.split()) - 1) - max(0, len(text.split()) - 1)
            for n in range(1, 5):
                dot = sum(min(w, theirs.get(g, 0)) * theirs.get(g, 0) for g, w in ours.items() if len(g) == n)
                norm = math.prod(math.sqrt(sum(w * w for g, w in v.items() if len(g) == n)) for v in (ours, theirs))
                total += (dot / norm if norm else 0) * math.exp(-(gap**2) / 72) / 4
        values.append(10 * total / len(texts))
    return values


def grams(text):
    words = text.split()
    return Counter(tuple(words[i : i + n]) for n in range(1, 5) for i in range(len(words) - n + 1))


def weigh(text, having, images):
    return {gram: times * math.log(images / max(1, having[gram])) for gram, times in grams(text).items()}


@pytest.mark.slow
@settings(max_examples=80)
@given(pairs)
def test_values_are_those_of_the_definition(pairs):
    candidates, references = [list(column) for column in zip(*pairs, strict=True)]
    assert CiderD(references).scores(candidates) == pytest.approx(plain(candidates, references), abs=1e-9)


def test_prepared_references_score_candidates_of_any_image_in_any_order():
    cider = CiderD(REFERENCES)
    said = ["a dog runs", "red cars", "a cat", "the new dog new"]
    each = [cider.scores([text], [place])[0] for text, place in zip(said, [0, 1, 2, 0], strict=True)]
    assert cider.scores(said, [0, 1, 2, 0]) == pytest.approx(each)
    assert cider.scores(said[::-1], [0, 2, 1, 0]) == pytest.approx(each[::-1])
    assert each[0] > 0
    assert cider.scores([said[0]], [1])[0] == 0


def test_scores_do_not_depend_on_what_was_scored_before():
    cider = CiderD(REFERENCES)
    before = cider.scores(["a new dog", "new cars new", "cat"])
    cider.scores(["other new words"], [1])
    assert np.array_equal(cider.scores(["a new dog", "new cars new", "cat"]), before)


def test_frequencies_of_a_larger_collection_score_as_if_it_were_evaluated():
    """A cat too, which stands in the collection alone: it weighs on its candidate as rare as it is there."""
    said = ["a dog and a cat run", "two cars", "a cat"]
    all_of_them = CiderD(REFERENCES).scores(said)
    part = CiderD(REFERENCES[:2], frequencies_of=REFERENCES)
    assert part.scores(said[:2]) == pytest.approx(all_of_them[:2])
    assert CiderD(REFERENCES[:2]).scores(said[:2]) != pytest.approx(all_of_them[:2])


def test_a_single_image_scores_nothing():
    """Each weight is log 1 - log 1: the measure needs other images to tell what is worth saying."""
    assert statistics(Texts(["a dog"], [["a dog"]])).tolist() == [[0]]


def test_saying_a_word_again_and_again_does_not_pay():
    once, often = CiderD(REFERENCES).scores(["dog", "dog dog dog dog"], [0, 0])
    assert often < once


def test_no_candidates_no_scores():
    assert CiderD(REFERENCES).scores([], []).shape == (0,)
