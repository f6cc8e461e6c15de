"""nltk's BLEU, pinned to what nltk 3.10's `corpus_bleu` says of spaCy 3.8's tokens; and in what it is another BLEU."""

import pytest

from showtell.metrics import METRICS
from showtell.metrics.bleu_nltk import statistics, statistics_cut
from showtell.metrics.metric import Texts
from showtell.metrics.score import score
from tests.metrics.test_every_metric import CANDIDATES, REFERENCES

# The texts of test_every_metric: corpus_bleu of all, and of each image alone.
PINNED = {
    "BLEU-nltk-1": (0.614770319, [1.000000000, 0.444444444, 0.000000000, 1.000000000, 0.015098692, 0.750000000]),
    "BLEU-nltk-2": (0.519738602, [0.866025404, 0.235702260, 0.000000000, 1.000000000, 0.000000000, 0.566946710]),
    "BLEU-nltk-3": (0.448079725, [0.684685537, 0.000000000, 0.000000000, 1.000000000, 0.000000000, 0.474788982]),
    "BLEU-nltk-4": (0.401988074, [0.572124842, 0.000000000, 0.000000000, 1.000000000, 0.000000000, 0.382602942]),
}


def scored(said, known, metrics="BLEU-nltk"):
    return score({"a": said}, {"a": known}, metrics, resamples=0)


@pytest.mark.parametrize("name", PINNED)
def test_values_equal_nltks(name):
    value, per_image = PINNED[name]
    result = score(CANDIDATES, REFERENCES, name)[name]
    assert result.value == pytest.approx(value, abs=1e-9)
    assert list(result.per_image.values()) == pytest.approx(per_image, abs=1e-9)


def test_an_order_without_a_match_is_nltks_smallest_number_to_the_power_of_its_weight():
    assert scored("a red dog", ["the dog sits here"])["BLEU-nltk-2"].value == pytest.approx(6.1698e-155, rel=1e-4)
    assert scored("xyz", ["the dog"])["BLEU-nltk-1"].value == 0


def test_a_candidate_too_short_for_an_order_counts_as_one_that_missed():
    rows = statistics(Texts(["dog", ""], [["dog"], ["dog"]]))
    assert rows.tolist() == [[1, 0, 0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1, 0, 1]]


def test_of_two_lengths_equally_near_the_shorter_counts():
    assert statistics(Texts(["a b c d"], [["a b c d e", "a b c"]]))[0, -1] == 3


def test_the_texts_as_written_are_split_into_spacys_words_in_lower_case():
    texts = Texts(["a dog"], [["a dog"]], said=["A T-shirt, isn't it?"], known=[["A t - shirt , is n't it ?"]])
    assert statistics(texts)[0].tolist() == [9, 8, 7, 6, 9, 8, 7, 6, 9, 9]


def test_the_weights_of_three_orders_are_the_courses():
    found = scored("a b c x d e", ["a b c y d e"])["BLEU-nltk-3"]
    assert found.value == pytest.approx((5 / 6) ** 0.333 * (3 / 5) ** 0.333 * (1 / 4) ** 0.334, rel=1e-12)
    assert "|weights 0.333 0.333 0.334|" in found.signature


def test_berns_words_have_no_last_period():
    assert statistics_cut(Texts(["A dog runs."], [["a dog runs"]]))[0].tolist() == [3, 2, 1, 0, 3, 2, 1, 1, 3, 3]
    assert statistics_cut(Texts([".", "in the U.S."], [["."], ["route 5 ."]]))[:, -2:].tolist() == [[0, 0], [3, 2]]


def test_a_common_full_stop_is_a_match_for_nltk_alone():
    said, known = "a dog .", ["the cat ."]
    scores = scored(said, known, ["BLEU-nltk-1", "BLEU-bern-1", "BLEU-1"])
    assert scores["BLEU-nltk-1"].value == pytest.approx(1 / 3)
    assert scores["BLEU-bern-1"].value == 0 and scores["BLEU-1"].value == pytest.approx(0, abs=1e-9)


def test_signatures_say_which_words_were_counted():
    scores = scored("a dog", ["a dog"], "BLEU-nltk-1,BLEU-bern-1,BLEU-1")
    assert "|spacy en, lower case|images 1|" in scores["BLEU-nltk-1"].signature
    assert "|spacy en, lower case, last period cut|" in scores["BLEU-bern-1"].signature
    assert "|ptb|" in scores["BLEU-1"].signature
    assert METRICS["BLEU-nltk-4"].group == "more"
