"""ROUGE-L against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showtell.metrics.metric import Texts
from showtell.metrics.rouge import _common, statistics

words = st.lists(st.sampled_from("abcd"), max_size=80)


def rouge(candidate, *references):
    return statistics(Texts([candidate], [references]))[0, 0]


def plain_common(one, other):
    row = [0] * (len(other) + 1)
    for word in one:
        above = row[:]
        for j, match in enumerate(other):
            row[j + 1] = above[j] + 1 if word == match else max(above[j + 1], row[j])
    return row[-1]


@given(words, st.lists(words, min_size=1, max_size=3))
def test_bits_count_what_the_table_counts(candidate, references):
    assert _common(candidate, references) == [plain_common(candidate, reference) for reference in references]


def test_the_f_measure_weighs_recall_more():
    assert rouge("a b c", "a c d e") == pytest.approx(2.44 * (2 / 3) * (1 / 2) / (1 / 2 + 1.44 * 2 / 3))


def test_precision_and_recall_may_come_from_different_references():
    both = rouge("a b c d", "a b c x y z", "d")
    assert both == pytest.approx(2.44 * (3 / 4) * 1 / (1 + 1.44 * 3 / 4))
    assert both > max(rouge("a b c d", "a b c x y z"), rouge("a b c d", "d"))


def test_a_no_break_space_does_not_cut_a_token():
    """`1 1/2` is one of four tokens here, while BLEU and CIDEr count five words."""
    assert rouge("1\u00a01/2 cups of tea", "cups of tea") == pytest.approx(2.44 * (3 / 4) / (1 + 1.44 * 3 / 4))


def test_an_empty_candidate_is_one_empty_token():
    assert rouge("", "a b") == 0
    assert rouge("", "") == pytest.approx(1)
