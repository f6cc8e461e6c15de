"""METEOR and BLEU on token numbers, as the Oslo course computes them."""

import pytest

import showtell
from showtell.metrics.meteor import missing
from showtell.metrics.metric import Texts
from showtell.metrics.on_ids import numbered

NUMBERS = {"a": "64 9 351", "b": "64 12"}
REFERENCES = {"a": ["64 9 351 7", "9 351"], "b": ["12 64 5", "64 12 8"]}
NAMES = {"64": "a", "9": "dog", "351": "runs", "7": "fast", "12": "cat", "5": "sits", "8": "sleeps"}


def spoken(text):
    return " ".join(NAMES[number] for number in text.split())


def test_numbers_stay_as_they_are_and_each_word_gets_its_own():
    assert numbered(Texts(["64 9"], [["64 9 351"]])).references == [["64 9 351"]]
    made = numbered(Texts(["a dog"], [["the dog", "A Dog."]]))
    assert made.candidates == [made.references[0][1]] and made.candidates[0] != made.references[0][0]


def test_words_and_their_numbers_have_the_same_bleu():
    texts = ({k: spoken(v) for k, v in NUMBERS.items()}, {k: list(map(spoken, v)) for k, v in REFERENCES.items()})
    for name in ("BLEU-ids-1", "BLEU-ids-4"):
        by_number = showtell.score(NUMBERS, REFERENCES, name)["scores"][name]["value"]
        assert by_number == showtell.score(*texts, name)["scores"][name]["value"]
    assert showtell.score(NUMBERS, REFERENCES, "BLEU-ids-1")["scores"]["BLEU-ids-1"]["value"] == pytest.approx(1)


def test_stems_and_synonyms_do_not_match_on_numbers():
    if missing():
        pytest.skip("needs the tables of METEOR")
    texts = ({"a": "two dogs running fast"}, {"a": ["two dog runs quickly now"]})
    values = {name: showtell.score(*texts, name)["scores"][name]["value"] for name in ("METEOR", "METEOR-ids")}
    assert 0 < values["METEOR-ids"] < values["METEOR"]
