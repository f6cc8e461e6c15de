"""Words: what counts as one, which are kept, how they become readable text again."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.tokenizers import Words, words
from showtell.tokenizers.words import split

WORDS = [
    "a",
    "dog",
    "man's",
    "isn't",
    "can't",
    "they're",
    "t-shirt",
    "black-and-white",
    "boys'",
    "3.5",
    "café",
    "(big)",
]


def test_the_first_ids_are_pad_bos_eos_unk():
    words = Words(min_count=1).fit(["dog"])
    assert words.words == ["<pad>", "<bos>", "<eos>", "<unk>", "dog"]
    assert (words.special.pad, words.special.begin[0], words.special.eos) == (0, 1, 2)
    assert words.special.suppress == (0, 1, 3)


@pytest.mark.parametrize(("min_count", "kept"), [(1, ["dog", "cat", "bird"]), (2, ["dog", "cat"]), (3, ["dog"])])
def test_a_word_is_kept_when_counted_at_least_min_count_times(min_count, kept):
    words = Words(min_count=min_count).fit(["dog cat bird", "Dog CAT", "dog"])
    assert words.words[4:] == kept


def test_frequent_words_come_first_and_equals_in_alphabetical_order():
    assert Words(min_count=1).fit(["b c a", "c b", "d"]).words[4:] == ["b", "c", "a", "d"]
    assert Words(min_count=1).fit(["d", "c b", "b c a"]).words[4:] == ["b", "c", "a", "d"]


def test_an_unknown_word_is_unk():
    words = Words(min_count=2).fit(["a dog", "a cat"])
    assert words.encode("A bird, a") == [4, 3, 3, 4]
    assert words.decode([4, 3]) == "a <unk>"


def test_written_special_words_are_not_special_ids():
    words = Words(min_count=1).fit(["a <bos> dog <unk>"])
    assert split("a <bos>") == ["a", "<", "bos", ">"]
    assert min(words.encode("<bos> a <eos> <pad>")) >= 3


def test_no_word_often_enough_is_an_error():
    with pytest.raises(InputError, match=r"^tokenizer.min_count is 3, .* 2 captions .*smaller"):
        Words(min_count=3).fit(["a dog", "a cat"])


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog's ball.", ["a", "dog", "'s", "ball", "."]),
        ("It isn't  here", ["it", "is", "n't", "here"]),
        ("a t-shirt, red", ["a", "t", "-", "shirt", ",", "red"]),
        (" \n", []),
    ],
)
def test_words_are_those_of_spacys_english_rules_in_lower_case(caption, words):
    assert split(caption) == words


@given(st.lists(st.sampled_from(WORDS), min_size=1), st.sampled_from(["", ".", "!", ", a dog", "; a dog?"]))
@settings(deadline=None)
def test_a_plain_caption_comes_back_as_it_was(chosen, end):
    caption = " ".join(chosen) + end
    words = Words(min_count=1).fit([caption])
    assert words.decode(words.encode(caption)) == caption


def test_fullstops_and_commas_that_stood_alone_join_the_word_before_them():
    words = Words(min_count=1).fit(["a dog , and a cat ."])
    assert words.decode(words.encode("a dog , and a cat .")) == "a dog, and a cat."


def test_numbers_keep_the_dash_between_them_apart():
    words = Words(min_count=1).fit(["3 - 4 dogs"])
    assert words.decode(words.encode("3 - 4 dogs")) == "3 - 4 dogs"


def test_fitting_again_forgets_the_first_words():
    words = Words(min_count=1).fit(["dog"]).fit(["cat"])
    assert words.words[4:] == ["cat"] and words.encode("dog cat") == [3, 4]


@pytest.mark.parametrize("text", ["{", "[]", '{"words": []}', '{"min_count": 1, "words": 3}', "\x00\x01"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))}/tokenizer.json is damaged: .+"):
        Words.load(tmp_path)


def by_spacy(text):
    return [token.text for token in words.english()(text.lower().strip()) if not token.is_space]


def test_what_spacy_splits_of_plain_letters_is_all_known():
    rules = words.english().rules
    plain = {text for text, tokens in rules.items() if text.isascii() and text.isalpha() and len(tokens) > 1}
    assert {text for text in plain if text == text.lower()} == words.CONTRACTIONS


WORD = st.sampled_from(
    [*sorted(words.CONTRACTIONS), "dogs", "its", "cannot", "t-shirt", "10km", "U.S.", "man's", "(a)"]
)


@given(st.lists(WORD | st.text("abcdnstvelrmI' -.,", max_size=6), max_size=6).map(" ".join))
def test_words_are_split_as_spacy_splits_them(text):
    assert words.split(text) == by_spacy(text)
