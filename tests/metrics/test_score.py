"""From texts to scores and their JSON; what is refused, and in which words."""

import json
from importlib.metadata import version

import numpy as np
import pytest

from showtell.metrics import METRICS
from showtell.metrics.metric import Metric
from showtell.metrics.names import groups, select
from showtell.metrics.score import score, to_json
from showtell.plumbing.errors import InputError

PROTOCOL = {"split": "val", "decode": "beam num_beams=5", "seed": 1, "data": None}
SAID = {"a.jpg": "a dog", "b.jpg": "two red cars"}
KNOWN = {"a.jpg": ["a dog runs", "the dog"], "b.jpg": ["red cars", "two cars"]}


def refused(candidates, references, *metrics):
    with pytest.raises(InputError) as error:
        score(candidates, references, *metrics)
    return str(error.value)


def test_standard_and_hidden_metrics_are_scored_unless_some_are_asked_for():
    scores = score(SAID, KNOWN)
    assert {*scores, *scores.left_out} == {name for name in METRICS if METRICS[name].group != "more"}
    assert list(score(SAID, KNOWN, ["CIDEr-D", "BLEU-2"])) == ["CIDEr-D", "BLEU-2"]


def test_the_signature_says_how_a_number_was_made():
    scores = score(SAID, KNOWN, resamples=0, protocol=PROTOCOL)
    made = f"showtell {version('showtell')}|ptb|images 2|references 2"
    assert scores["BLEU-4"].signature == f"BLEU-4|{made}|split val|beam num_beams=5|seed 1"
    assert scores["CIDEr-D"].signature == f"CIDEr-D|{made}|df evaluated references|split val|beam num_beams=5|seed 1"


def test_the_signature_says_when_images_have_different_numbers_of_references():
    assert "|references 1 to 2|" in score(SAID, KNOWN | {"a.jpg": ["a dog"]})["CIDEr-D"].signature


def test_json_holds_values_signatures_and_every_image():
    scores = score(SAID, KNOWN, ["ROUGE-L", "BLEU-1"])
    written = json.loads(json.dumps(to_json(scores)))
    assert list(written) == ["scores", "per_image"]
    assert written["scores"]["ROUGE-L"] == {
        "value": scores["ROUGE-L"].value,
        "interval": list(scores["ROUGE-L"].interval),
        "signature": scores["ROUGE-L"].signature,
    }
    assert list(written["per_image"]) == ["a.jpg", "b.jpg"]
    assert written["per_image"]["b.jpg"] == {name: scores[name].per_image["b.jpg"] for name in ("ROUGE-L", "BLEU-1")}


def test_a_metric_of_ones_own_is_one_line(monkeypatch):
    lengths = Metric(lambda texts: np.array([[len(text)] for text in texts.candidates]))
    monkeypatch.setitem(METRICS, "letters", lengths)
    assert score(SAID, KNOWN, "letters")["letters"].value == 8.5


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("bleu", ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4"]),
        ("cider-d, Rouge-L", ["CIDEr-D", "ROUGE-L"]),
        (["BLEU-2", "BLEU"], ["BLEU-2", "BLEU-1", "BLEU-3", "BLEU-4"]),
    ],
)
def test_names_may_be_written_in_any_case_and_bleu_means_all_four(asked, names):
    assert select(asked) == names


def test_an_unknown_metric_is_refused_with_those_there_are():
    there = f"there are {', '.join([*METRICS, *groups()])}"
    assert refused(SAID, KNOWN, "CIDR-D") == f"'CIDR-D' is not a metric; {there} (did you mean CIDEr-D?)"
    assert refused(SAID, KNOWN, "TER,BLEU").startswith(f"'TER' is not a metric; {there}")
    assert refused(SAID, KNOWN, []) == f"no metric is named; {there}"


def test_no_candidates_are_refused():
    assert refused({}, {}) == "there are no candidates to score; pass a caption for at least one image"


def test_candidates_without_references_are_refused():
    assert refused(SAID | {"c": "x", "d": "x", "e": "x", "f": "x"}, KNOWN) == (
        "4 of 6 candidates have no references (first: c, d, e); every candidate needs at least one, "
        "under the same image id"
    )


def test_references_without_candidate_are_refused():
    assert refused({"a.jpg": "a dog"}, KNOWN) == (
        "1 of 2 images with references have no candidate (first: b.jpg); "
        "pass the references of the evaluated images only"
    )


def test_an_image_without_any_reference_is_refused():
    assert refused(SAID, KNOWN | {"b.jpg": []}) == (
        "1 of 2 images have an empty list of references (first: b.jpg); every image needs at least one"
    )


@pytest.mark.parametrize("value", [None, 3, float("nan"), ["a dog"]])
def test_a_caption_that_is_not_text_is_refused(value):
    message = f"of b.jpg is {value!r}, not text; write a string, '' for no words"
    assert refused(SAID | {"b.jpg": value}, KNOWN) == f"a candidate {message}"
    assert refused(SAID, KNOWN | {"b.jpg": ["red", value]}) == f"a reference {message}"


@pytest.mark.parametrize("value", ["red cars", float("nan")])
def test_references_that_are_no_list_are_refused(value):
    assert refused(SAID, KNOWN | {"b.jpg": value}) == (
        f"the references of b.jpg are {value!r}, not a list of texts; write [text, ...]"
    )
