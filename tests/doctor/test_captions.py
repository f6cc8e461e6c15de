"""Lengths, repeats, oddities and vocabularies of captions, counted by hand."""

from pathlib import Path

import pytest

from showtell.data import Record
from showtell.doctor.captions import Spread, Vocabulary, read_captions


def record(name, split, *captions):
    return Record(name, Path(name), captions, split)


def test_captions_a_photo_and_their_lengths():
    found = read_captions([record("a", "train", "one two three", "one"), record("b", "train", "one two, three")])
    assert found.per_photo == Spread(1, 1, 2, 2)
    assert found.words == Spread(1, 3, 4, 4)  # the comma is a word
    assert found.lengths == {1: 1, 3: 1, 4: 1}
    assert found.longer(3) == 1 and found.longer(4) == 0


def test_a_set_without_captions_has_nothing_to_say():
    assert read_captions([record("a", "test")]) is None


def test_repeats_within_a_photo_are_counted_whatever_their_case():
    found = read_captions([record("a", "train", "A dog", "a dog", "a cat"), record("b", "train", "a dog")])
    assert (found.repeated, found.repeated_photos) == (1, 1)


def test_captions_that_stand_in_train_are_counted_for_each_split():
    found = read_captions(
        [
            record("a", "train", "a dog", "a cat"),
            record("b", "val", "A dog", "a bird", "a cat"),
            record("c", "test", "x"),
        ]
    )
    assert found.seen_in_train == {"val": (2, 3), "test": (0, 1)}


@pytest.mark.parametrize(
    ("caption", "what"),
    [
        ("1 2 3 4", "without a letter"),
        ("a dog", "of 2 words or fewer"),
        ("a photo of a cafÃ© in town", "in a wrong encoding"),
        ("the dogâ€™s ball is red", "in a wrong encoding"),
        ("a dog \ufffd on grass", "in a wrong encoding"),
        ("a dog\u200b runs on grass", "with characters that cannot be printed"),
        ("a <b>dog</b> runs on grass", "with markup"),
        ("a dog &amp; a cat run", "with markup"),
    ],
)
def test_odd_captions_are_named_by_what_is_odd(caption, what):
    found = read_captions([record("a", "train", caption, "a dog runs on the grass")])
    assert found.odd == {what: [("a", caption)]}


@pytest.mark.parametrize("caption", ["a café in São Paulo", "3 dogs < 4 cats & a bird", "一只狗在草地上奔跑 和 猫"])
def test_usual_captions_are_not_odd(caption):
    assert read_captions([record("a", "train", caption)]).odd == {}


def test_scripts_are_counted_by_caption():
    found = read_captions([record("a", "train", "a dog runs", "собака и dog", "小狗 在 跑步")])
    assert found.scripts == {"Latin": 2, "Cyrillic": 1, "Cjk": 1}


def test_vocabularies_are_those_of_the_tokenizer():
    train = record("a", "train", "a a a a a b b b c c d")
    found = read_captions([train, record("b", "val", "a b d e")])
    assert found.vocabularies == [
        Vocabulary(1, 4, 1.0, 1 / 4),
        Vocabulary(2, 3, 10 / 11, 2 / 4),
        Vocabulary(3, 2, 8 / 11, 2 / 4),
        Vocabulary(5, 1, 5 / 11, 3 / 4),
        Vocabulary(10, 0, 0.0, 1.0),
    ]
    assert found.min_count == 3  # costs no word of validation that 2 keeps


def test_without_validation_the_words_of_training_decide():
    found = read_captions([record("a", "train", *["a dog"] * 10, "a cat", "a cat")])
    assert [v.unknown for v in found.vocabularies] == [None] * 5
    assert found.min_count == 2  # 3 would lose "cat", 2 of 24 words


def test_without_training_captions_there_is_no_vocabulary():
    found = read_captions([record("a", "val", "a dog")])
    assert found.vocabularies == [] and found.min_count is None and found.seen_in_train == {}
