"""BLEU against its definition, counted by hand or in the plainest way."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.metrics.bleu import bleu, statistics
from showtell.metrics.metric import Texts

captions = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)
pairs = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=4)), min_size=1, max_size=4)


def rows_of(*pairs):
    return statistics(Texts([candidate for candidate, _ in pairs], [references for _, references in pairs]))


def whole(metric, rows):
    return metric.value(rows.sum(axis=0), len(rows))


def test_matches_are_clipped_to_the_reference_that_has_the_most():
    rows = rows_of(("the the the the", ["the cat", "the the end"]))
    assert rows[0].tolist() == [2, 1, 0, 0, 4, 3, 2, 1, 4, 3]


def test_of_two_lengths_equally_near_the_shorter_counts():
    assert rows_of(("a b c d", ["a b c d e", "a b c"]))[0][-1] == 3


def test_a_short_candidate_pays_the_brevity_penalty():
    assert whole(bleu(1), rows_of(("a b", ["a b c d"]))) == pytest.approx(0.36787944, abs=1e-8)  # exp(1 - 4 / 2)


def test_the_corpus_value_is_not_the_mean_over_images():
    rows = rows_of(("a", ["a"]), ("b c d", ["x y z"]))
    assert whole(bleu(1), rows) == pytest.approx(0.25)
    assert bleu(1).value(rows, 1) == pytest.approx([1, 0])


def test_no_match_of_an_order_is_almost_nothing_not_an_error():
    """coco-caption's constants: (1 * 1 * 1e-15) ** (1 / 3) for a candidate of two words, which has no 3-grams."""
    rows = rows_of(("a b", ["a b"]))
    assert whole(bleu(3), rows) == pytest.approx((1e-15 / 1e-9) ** (1 / 3), rel=1e-6)


@pytest.mark.slow
@settings(max_examples=60)
@given(pairs)
def test_counts_are_those_of_the_definition(pairs):
    for row, (candidate, references) in zip(rows_of(*pairs).tolist(), pairs, strict=True):
        for n in range(1, 5):
            said, known = grams(candidate, n), [grams(reference, n) for reference in references]
            assert row[n - 1] == sum(min(times, max(k[gram] for k in known)) for gram, times in said.items())
            assert row[n + 3] == said.total()


def grams(text, n):
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
