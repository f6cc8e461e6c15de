"""CIDEr against the paper's formulas, read again with dicts and loops; and in what it is not CIDEr-D."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics.cider_plain import statistics
from showtell.metrics.metric import Texts
from showtell.metrics.score import score

captions = st.lists(st.sampled_from(["a", "b", "c", "d", "new"]), max_size=7).map(" ".join)
known = st.lists(st.sampled_from("abcd"), max_size=7).map(" ".join)
images = st.lists(st.lists(known, min_size=1, max_size=3), min_size=1, max_size=4)


def of_the_paper(candidate, sentences, corpus):
    """Section 4: g_k(s) = h_k(s) / sum_l h_l(s) * log(|I| / images that have k); CIDEr_n = mean cosine; mean over n."""
    total = 0.0
    for n in (1, 2, 3, 4):
        ours = vector(candidate, n, corpus)
        for sentence in sentences:
            theirs = vector(sentence, n, corpus)
            dot = sum(ours[gram] * theirs[gram] for gram in ours if gram in theirs)
            lengths = math.hypot(*ours.values()) * math.hypot(*theirs.values())
            total += dot / lengths / len(sentences) / 4 if lengths else 0
    return total


def vector(sentence, n, corpus):
    said = grams(sentence, n)
    return {
        gram: said.count(gram)
        / len(said)
        * math.log(len(corpus) / max(1, sum(any(gram in grams(text, n) for text in image) for image in corpus)))
        for gram in said
    }


def grams(sentence, n):
    words = sentence.split()
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


@pytest.mark.slow
@settings(max_examples=80)
@given(images, st.data())
def test_values_are_those_of_the_paper(references, data):
    said = [data.draw(captions) for _ in references]
    wanted = [of_the_paper(text, sentences, references) for text, sentences in zip(said, references, strict=True)]
    assert statistics(Texts(said, references))[:, 0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.slow
@settings(max_examples=60)
@given(images, images, st.data())
def test_document_frequencies_may_be_those_of_another_corpus(references, corpus, data):
    said = [data.draw(captions) for _ in references]
    wanted = [of_the_paper(text, sentences, corpus) for text, sentences in zip(said, references, strict=True)]
    found = statistics(Texts(said, references, frequencies_of=corpus))[:, 0]
    assert found == pytest.approx(wanted, abs=1e-9)


KNOWN = {"a": ["a red bus stops"], "b": ["two dogs"], "c": ["snow"]}


def cider(text, metric="CIDEr"):
    return score({"a": text, "b": "two dogs", "c": "snow"}, KNOWN, metric)[metric].per_image["a"]


def test_it_goes_from_0_to_1_and_is_not_clipped_as_cider_d_is():
    assert cider("a red bus stops") == pytest.approx(1) and cider("a red bus stops", "CIDEr-D") == pytest.approx(10)
    again = "a red bus stops a red bus stops"
    assert cider(again) * 10 > 1.5 * cider(again, "CIDEr-D")


def test_the_signature_says_the_scale_and_the_corpus():
    found = score({"a": "a dog"}, {"a": ["a dog"]}, ["CIDEr", "CIDEr-D"], frequencies_of=[["a dog"], ["a cat", "cats"]])
    assert "|cosine of the paper, 0 to 1, no stemming|df of 2 given images" in found["CIDEr"].signature
    assert "|df of 2 given images" in found["CIDEr-D"].signature
    assert found["CIDEr"].value > 0  # one image alone would say nothing
