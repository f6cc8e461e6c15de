"""Captions by run -> who is better: the same numbers as `score`, verdicts that follow from them, who wins where."""

import dataclasses
import random

import numpy as np
import pytest

from showtell.data import LeftOut
from showtell.metrics import METRICS
from showtell.metrics.metric import Metric
from showtell.metrics.score import score
from showtell.metrics.significance import holm
from showtell.plumbing.errors import InputError
from showtell.scoring.comparison import SAME, compare, method
from tests.pages import ROOT, blocks

WORDS = "a the dog cat man woman red blue car boat runs sits on near beach street grass water big two"


def captions(count, seed=0, spoiled=0.0, length=7):
    """`{image_id: five references}`, and a candidate of each image with a share of its words replaced by others."""
    generator, errors = random.Random(seed), random.Random(f"{seed} {spoiled}")
    known, said = {}, {}
    for number in range(count):
        words = generator.choices(WORDS.split(), k=length)
        known[f"{number}.jpg"] = [" ".join([*words[:at], "some", *words[at + 1 :]]) for at in range(5)]
        kept = [errors.choice(WORDS.split()) if errors.random() < spoiled else word for word in words]
        said[f"{number}.jpg"] = " ".join(kept)
    return known, said


KNOWN, GOOD = captions(60, spoiled=0.2)
_, BAD = captions(60, spoiled=0.5)
TWO = {"good": GOOD, "bad": BAD}


def test_values_intervals_and_signatures_are_those_of_score():
    found = compare(TWO, KNOWN, "standard", resamples=200)
    for name, said in TWO.items():
        assert found.scores[name] == score(said, KNOWN, "standard", resamples=200)


def test_a_difference_is_that_of_the_values_and_lies_in_its_interval():
    found = compare(TWO, KNOWN, "BLEU,CIDEr-D")
    assert list(found.differences) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "CIDEr-D"]
    for name, by_run in found.differences.items():
        difference = by_run["bad"]
        assert difference.value == pytest.approx(found.scores["bad"][name].value - found.scores["good"][name].value)
        assert difference.interval[0] < difference.value < difference.interval[1] < 0
        assert difference.verdict == "worse" and difference.p == 1 / 1001


def test_either_order_gives_the_same_answer_with_the_other_sign():
    here, there = (compare(dict(order), KNOWN, "CIDEr-D") for order in (TWO.items(), reversed(TWO.items())))
    one, other = here.differences["CIDEr-D"]["bad"], there.differences["CIDEr-D"]["good"]
    assert one.value == -other.value and one.verdict == "worse" and other.verdict == "better"
    assert one.interval == pytest.approx([-other.interval[1], -other.interval[0]])
    assert (one.p_bootstrap, one.p_randomization) == (other.p_bootstrap, other.p_randomization)


def test_a_run_against_itself_shows_no_difference():
    found = compare({"one": GOOD, "same": dict(GOOD)}, KNOWN)
    for by_run in found.differences.values():
        assert dataclasses.astuple(by_run["same"]) == (0.0, (0.0, 0.0), 1.0, 1.0, False, 1.0, SAME)
    assert found.wins("same", 5) == ([], [])


@pytest.mark.slow
def test_equal_captioners_are_rarely_called_different():
    """50 pairs that err as often, each in places of its own: at the level .05 two or three, hardly more than seven."""
    shown = 0
    for seed in range(50):
        known, one = captions(30, seed, spoiled=0.3)
        other = captions(30, seed, spoiled=0.300001)[1]
        found = compare({"one": one, "other": other}, known, "BLEU-4", resamples=99)
        shown += found.differences["BLEU-4"]["other"].verdict != SAME
    assert shown <= 7


@pytest.mark.parametrize(
    ("repeating", "p", "verdict"), [(1, 1, SAME), (4, 0.125, SAME), (5, 0.0625, SAME), (9, 2**-8, "better")]
)
def test_captions_that_repeat_count_by_the_photos_that_differ_not_by_their_length(repeating, p, verdict):
    """200 captions of six words, of which some repeat four words, and 200 of ten that repeat nothing."""
    plain = [f"{at}a {at}b {at}c {at}d {at}e {at}f" for at in range(200)]
    short = {str(at): "a a a a a a" if at < repeating else text for at, text in enumerate(plain)}
    long = {str(at): f"{text} {at}g {at}h {at}i {at}j" for at, text in enumerate(plain)}
    known = {str(at): [text] for at, text in enumerate(plain)}
    found = compare({"short": short, "long": long}, known, "repeats-4")
    difference = found.differences["repeats-4"]["long"]
    assert difference.p_randomization == p and difference.verdict == verdict


def metric(**options):
    """The number of words, of each image."""
    return Metric(lambda texts: np.array([[len(text.split())] for text in texts.candidates]), **options)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [
        ({}, "better"),
        ({"lower": True}, "worse"),
        ({"group": "hidden", "lower": True}, "worse"),
        ({"group": "hidden"}, "higher"),
    ],
)
def test_better_and_worse_heed_metrics_where_less_is_better_and_where_nothing_is(monkeypatch, options, verdict):
    monkeypatch.setitem(METRICS, "words", metric(**options))
    longer = {image_id: text + " and more words" for image_id, text in GOOD.items()}
    found = compare({"short": GOOD, "long": longer}, KNOWN, "words")
    difference = found.differences["words"]["long"]
    assert (difference.value, difference.verdict) == (3, verdict)
    other = compare({"long": longer, "short": GOOD}, KNOWN, "words").differences["words"]["short"].verdict
    assert {verdict, other} in ({"better", "worse"}, {"higher", "lower"})
    won, lost = found.wins("long", 60)
    assert len(won) == (0 if options.get("lower") else 60) and len(won) + len(lost) == 60


def test_a_figure_of_the_whole_set_has_a_value_and_no_test(monkeypatch):
    monkeypatch.setitem(METRICS, "words", metric(resampled=False))
    found = compare(TWO, KNOWN, "words,BLEU-1")
    assert list(found.differences) == ["BLEU-1"]
    assert found.scores["good"]["words"].value == 7 and found.scores["good"]["words"].interval is None


def test_what_cannot_be_had_is_left_out_of_a_group_and_refused_by_name(monkeypatch):
    no = "needs what is not here; install it"
    monkeypatch.setitem(METRICS, "words", metric(group="standard", missing=lambda texts: no))
    found = compare(TWO, KNOWN, "standard")
    assert "words" not in found.scores["good"]
    assert found.scores["good"].left_out["words"] == found.scores["bad"].left_out["words"] == no
    with pytest.raises(InputError, match=f"^words {no}$"):
        compare(TWO, KNOWN, "words")


def test_p_is_corrected_for_the_number_of_runs():
    runs = {"first": GOOD, **{f"{share}": captions(60, spoiled=share)[1] for share in (0.25, 0.22, 0.5)}}
    found = compare(runs, KNOWN, "CIDEr-D").differences["CIDEr-D"]
    wanted = np.maximum(
        *(holm([getattr(each, p) for each in found.values()]) for p in ("p_bootstrap", "p_randomization"))
    )
    assert [each.p for each in found.values()] == wanted.tolist()
    assert found["0.5"].p == 3 / 1001 and found["0.5"].verdict == "worse"
    alone = compare({name: runs[name] for name in ("first", "0.5")}, KNOWN, "CIDEr-D").differences["CIDEr-D"]["0.5"]
    assert alone.p == 1 / 1001 and alone.p_bootstrap == found["0.5"].p_bootstrap


def test_the_images_that_a_run_wins_are_those_where_its_own_score_is_higher_by_most():
    found = compare(TWO, KNOWN, "standard")
    good, bad = (found.scores[name]["CIDEr-D"].per_image for name in TWO)
    gains = sorted(((bad[image_id] - good[image_id], image_id) for image_id in KNOWN), key=lambda pair: pair[0])
    won, lost = found.wins("bad", 4)
    assert [bad[i] - good[i] for i in won] == pytest.approx([gain for gain, _ in gains[::-1][:4]])
    assert [bad[i] - good[i] for i in lost] == pytest.approx([gain for gain, _ in gains[:4]])
    assert found.decides == "CIDEr-D"
    assert compare(TWO, KNOWN, "BLEU-2,ROUGE-L").decides == "BLEU-2"


def test_images_that_not_all_have_are_left_out_and_told():
    fewer = {image_id: text for image_id, text in BAD.items() if image_id not in ("3.jpg", "4.jpg")}
    known = {image_id: texts for image_id, texts in KNOWN.items() if image_id != "5.jpg"}
    found = compare({"good": GOOD, "bad": fewer | {"more.jpg": "a dog"}}, known, "BLEU-1")
    assert len(found.references) == 57
    assert found.left_out == (
        LeftOut("3.jpg", "without a caption of bad"),
        LeftOut("4.jpg", "without a caption of bad"),
        LeftOut("5.jpg", "without references"),
        LeftOut("more.jpg", "without a caption of good"),
    )
    assert found.scores["good"]["BLEU-1"].per_image.keys() == found.references.keys()


def test_references_that_no_run_captions_do_not_matter():
    known = KNOWN | {"other.jpg": ["a cat"]}
    assert compare(TWO, known, "CIDEr-D") == compare(TWO, KNOWN, "CIDEr-D")


@pytest.mark.parametrize(
    ("runs", "options", "told"),
    [
        ({"one": GOOD}, {}, "there is nothing to compare with; name two runs"),
        (TWO, {"resamples": 0}, "--resamples is 0; it takes 1 or more, such as 1000"),
        (TWO, {"metrics": "CIDEr-E"}, "'CIDEr-E' is not a metric; there are "),
        (
            {"good": {"a": "a dog"}, "bad": {"b": "a dog"}},
            {},
            "no image has references and a caption of every run: 1 without a caption of bad (first: a), 1 without",
        ),
        ({"good": GOOD, "bad": BAD | {"1.jpg": 3}}, {}, "bad: a candidate of 1.jpg is 3, not text; write"),
    ],
)
def test_what_cannot_be_compared_is_refused(runs, options, told):
    with pytest.raises(InputError) as error:
        compare(runs, KNOWN, **options)
    assert str(error.value).startswith(told)


def test_a_few_images_are_tested_by_all_swaps():
    few = {image_id: KNOWN[image_id] for image_id in list(KNOWN)[:6]}
    found = compare(TWO, few, "BLEU-1")
    assert found.differences["BLEU-1"]["bad"].exact and "all 2^6 swaps" in method(found)
    assert "1000 drawn swaps" in method(compare(TWO, KNOWN, "BLEU-1"))


def test_one_image_gives_values_alone():
    found = compare(TWO, {"1.jpg": KNOWN["1.jpg"]}, "BLEU-1")
    assert found.differences == {} and found.decides == "BLEU-1" and found.scores["good"]["BLEU-1"].interval is None


def test_the_pages_example_runs(capsys):
    (example,) = [block.text for block in blocks(ROOT / "docs/compare.md") if block.language == "python"]
    found = {}
    exec(compile(example, "compare.md", "exec"), found)
    assert capsys.readouterr().out.endswith(f" {SAME}\n") and found["won"] == ["b.jpg"] and found["lost"] == ["a.jpg"]
