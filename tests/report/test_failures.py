"""The ways in which a caption fails."""

import pytest

from showtell.report.failures import KINDS, failures

DOG = ["a dog sleeps on a bench", "the dog"]


@pytest.mark.parametrize(
    ("caption", "kinds"),
    [
        ("a dog sleeps on a bench", {}),
        ("", {"empty": ""}),
        (" . ", {"empty": ""}),
        ("a dog dog sleeps", {"repeated": "dog dog"}),
        ("on a bench and on a bench", {"repeated": "on a bench"}),
        ("a dog on the", {"cut": "ends with the"}),
        ("A dog with a.", {"cut": "ends with a"}),
        ("a cat and a dog", {"made up": "cat"}),
    ],
)
def test_each_kind_is_found(caption, kinds):
    assert failures(caption, DOG) == kinds


def test_a_caption_of_all_allowed_words_is_cut():
    assert "cut" in failures("a dog sleeps", DOG, most_words=3)
    assert "cut" not in failures("a dog sleeps", DOG, most_words=4)


def test_copied_is_what_the_score_says():
    assert failures("a dog sleeps", DOG, copied=True) == {"copied": ""}


def test_every_kind_has_its_rule():
    every = [failures("", DOG), failures("a cat cat on the", DOG, copied=True)]
    assert {kind for wrong in every for kind in wrong} == set(KINDS)
