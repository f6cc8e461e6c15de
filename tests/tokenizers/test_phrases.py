"""Phrases as ids: the same ones that the tokenizer writes in a caption."""

import itertools

import pytest

from showtell.tokenizers.byte_pairs import LETTERS
from showtell.tokenizers.gpt2 import END, GPT2
from showtell.tokenizers.phrases import Phrases
from showtell.tokenizers.words import Words

TEXTS = ["a dog and a red car", "the man's dogs don't see a t-shirt", "Two dogs, one hotdog"]


@pytest.fixture
def gpt2():
    """GPT-2's own way with four merges: ` d`, `og`, ` dog` and `dog`."""
    tokenizer = GPT2.__new__(GPT2)
    merges = ["Ġ d", "o g", "Ġd og", "d og"]
    tokenizer._set(None, [*LETTERS, *(merge.replace(" ", "") for merge in merges), END], merges)
    return tokenizer


def written(tokenizer, way):
    return tokenizer.decode([token for token in way if token != tokenizer.special.begin[0]])


def test_a_word_is_one_id_and_a_phrase_several():
    words = Words(min_count=1).fit(TEXTS)
    phrases = Phrases(words)
    assert phrases.forms("dog").ways == ((words.ids["dog"],),)
    assert phrases.forms("  Red   CAR ").ways == ((words.ids["red"], words.ids["car"]),)
    assert phrases.forms("don't").ways == ((words.ids["do"], words.ids["n't"]),)


def test_the_word_that_has_no_ids_is_named():
    phrases = Phrases(Words(min_count=1).fit(TEXTS))
    assert phrases.forms("red zebra car").unknown == "zebra" and phrases.forms("red zebra car").ways == ()


def test_words_are_joined_by_clitics_alone():
    words = Words(min_count=1).fit(TEXTS)
    assert {words.words[token] for token in Phrases(words).joining} == {"n't"}


def test_gpt2_writes_a_word_otherwise_at_the_beginning(gpt2):
    ways = Phrases(gpt2).forms("dog").ways
    assert ways[:2] == (tuple(gpt2.encode(" dog")), (gpt2.special.begin[0], *gpt2.encode("dog")))
    assert {written(gpt2, way) for way in ways} == {"dog", " dog", "Dog", " Dog"}
    assert len(ways[0]) == 1 and all(
        (way[0] == gpt2.special.begin[0]) == (written(gpt2, way)[0] != " ") for way in ways
    )


def test_every_way_to_write_a_text_is_a_spelling_of_it(gpt2):
    """All sequences of up to four ids that could matter, within a caption and at its beginning."""
    spellings = set(Phrases(gpt2).spellings("Dog"))
    ids = [token for token, text in enumerate(Phrases(gpt2).texts) if text and set(text.lower()) <= set(" dog")]
    assert len(ids) == 11  # four merges, and the letters in both cases
    bos, before = gpt2.special.begin[0], gpt2.encode("a")
    tried = [way for size in range(1, 5) for way in itertools.product(ids, repeat=size)]
    within = {way for way in tried if gpt2.decode([*before, *way]).lower() == "a dog"}
    first = {(bos, *way) for way in tried if gpt2.decode(way).lower() == "dog"}
    assert spellings == within | first and len(within) == 17


def test_a_word_of_the_vocabulary_has_one_spelling():
    words = Words(min_count=1).fit(TEXTS)
    assert Phrases(words).spellings("red car") == Phrases(words).forms("red car").ways
    assert Phrases(words).spellings("zebra") == ()


def test_letters_go_on_with_gpt2s_words_and_blanks_and_commas_do_not(gpt2):
    joining = Phrases(gpt2).joining
    joins = {text: gpt2.encode(text)[0] in joining for text in ("s", "og", "7", ",", " ", " d", "dog", " dog", "-")}
    assert joins == {"s": True, "og": True, "7": True, "dog": True} | dict.fromkeys(
        (",", " ", " d", " dog", "-"), False
    )


def test_sentencepiece_writes_a_word_in_one_way():
    pytest.importorskip("sentencepiece")
    from showtell.tokenizers.pieces import SentencePiece

    pieces = SentencePiece(vocabulary_size=40).fit(TEXTS * 3)
    phrases = Phrases(pieces)
    assert phrases.forms("Dog").ways == phrases.forms("dog").ways == (tuple(pieces.encode("dog")),)
    assert phrases.forms("dog 猫").unknown == "猫"
    texts = {pieces.processor.id_to_piece(token) for token in phrases.joining}
    assert "s" in texts and not any(text.startswith("▁") for text in texts)
