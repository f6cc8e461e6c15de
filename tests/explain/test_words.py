"""Ids become words, and words become panels."""

import pytest

from showtell.explain import words as words_file
from showtell.explain.words import Word, into_words, numbers_of, panels
from showtell.tokenizers.words import Words


def pieces(*texts: str):
    """A tokenizer whose ids 0, 1, 2 .. are these texts; `_` is a space."""
    return range(len(texts)), lambda ids: "".join(texts[i] for i in ids).replace("_", " ").strip()


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["a", "_dog"], ["a", "dog"]),
        (["a", "_gira", "ffe", "_runs"], ["a", "giraffe", "runs"]),
        (["gira", "ffe"], ["giraffe"]),
        (["a", "_dog", "."], ["a", "dog", "."]),
        (["a", "_", "dog"], ["a", "dog"]),  # a space of its own
        (["the", "_dog", "'", "s", "_ball"], ["the", "dog's", "ball"]),
        (["a", "_t", "-", "shirt"], ["a", "t-shirt"]),
        (["one", ",", "_two"], ["one", ",", "two"]),
        (["caf", "é"], ["café"]),
        (["a"], ["a"]),
        ([], []),
    ],
)
def test_pieces_of_a_word_become_one(texts, wanted):
    ids, decode = pieces(*texts)
    found = into_words(ids, decode)
    assert [word.text for word in found] == wanted
    assert [i for word in found for i in word.ids] == list(ids)  # none is lost, and all are in order


def test_half_a_letter_and_its_other_half_are_one_piece():
    """Byte-level tokenizers may cut a letter in two; the first half is unreadable alone."""
    raw = ["Ã".encode("latin-1"), "©".encode("latin-1"), b" au"]  # the two bytes of é, then a word
    found = into_words(range(3), lambda ids: b"".join(raw[i] for i in ids).decode("utf-8", "replace"))
    assert [(word.text, word.ids) for word in found] == [("é", (0, 1)), ("au", (2,))]


@pytest.mark.slow
def test_a_tokenizer_that_joins_clitics_and_hyphens_later_is_understood():
    tokenizer = Words(min_count=1).fit(["The dog's ball and a t-shirt, red."])
    ids = tokenizer.encode("the dog's t-shirt.")
    found = into_words(ids, tokenizer.decode)
    assert " ".join(word.text for word in found).replace(" .", ".") == tokenizer.decode(ids)
    assert [i for word in found for i in word.ids] == list(range(len(ids)))
    assert [word.text for word in found][:2] == ["the", "dog's"]


def test_every_function_word_is_lower_case_and_stands_once():
    listed = words_file._FUNCTION_WORDS.split()
    assert len(listed) == len(set(listed)) and all(word == word.lower() for word in listed)


@pytest.mark.parametrize(("text", "names"), [("dog", True), ("The", False), ("...", False), ("3", True), ("Of", False)])
def test_what_names_something(text, names):
    assert Word(text, (0,)).names_something == names


@pytest.mark.parametrize(
    ("caption", "wanted"),
    [
        ("a dog runs", [("a", "dog"), ("runs",)]),
        ("a dog on the grass .", [("a", "dog"), ("on", "the", "grass", ".")]),
        ("of the", [("of",), ("the",)]),  # without a content word, each has its own
        ("", []),
    ],
)
def test_function_words_share_the_panel_of_the_next_content_word(caption, wanted):
    found = panels(caption.split())
    assert [panel.words for panel in found] == wanted
    assert [caption.split()[panel.number] for panel in found] == [panel.words[panel.at] for panel in found]


def test_chosen_words_are_found_in_any_case_and_missing_ones_named():
    assert numbers_of(["a", "Dog", "and", "a", "cat"], ["dog", "A", "horse"]) == ([0, 1, 3], ["horse"])
