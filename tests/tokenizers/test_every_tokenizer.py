"""What every tokenizer of the table promises: ids in range, special ids kept apart, the same after save and load."""

import json
import os
import re
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer, batch
from tests.language import tiny_language_model

CAPTIONS = [
    "A brown dog runs on the grass .",
    "The man's dog, a brown one, isn't running.",
    "Two women in red t-shirts stand near a dog",
    "Ein Hund läuft über die Straße!",
    "一只狗 在草地上",
]
SMALL = {"words": {"min_count": 1}, "sentencepiece": {"vocabulary_size": 70}}  # what so few captions ask for
SMALL |= {"bern": {"min_count": 1}, "pretrained": {"model": tiny_language_model()}}
WORDS = dict.fromkeys(word for caption in CAPTIONS for word in caption.split())
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # halves of characters too


class Pair(NamedTuple):
    """A tokenizer that was fitted, and one that was read from its file."""

    fitted: Tokenizer
    loaded: Tokenizer


def small(name, tmp_path_factory):
    """The options of a tokenizer for so few captions."""
    if name != "word_map":
        return SMALL.get(name, {})
    path = tmp_path_factory.mktemp("map") / "WORDMAP_small.json"
    ids = {word: number for number, word in enumerate(["<pad>", *WORDS, "<unk>", "<start>", "<end>"])}
    path.write_text(json.dumps(ids))
    return {"file": str(path)}


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def pair(request, tmp_path_factory):
    kind, folder = TOKENIZERS[request.param], tmp_path_factory.mktemp(request.param)
    fitted = kind(**small(request.param, tmp_path_factory)).fit(CAPTIONS)
    fitted.save(folder)
    return Pair(fitted, kind.load(folder))


def test_a_saved_tokenizer_is_the_same_when_it_is_read(pair):
    assert pair.loaded.special == pair.fitted.special
    assert len(pair.loaded) == len(pair.fitted)
    assert [pair.loaded.decode([i]) for i in range(len(pair.loaded))] == [
        pair.fitted.decode([i]) for i in range(len(pair.fitted))
    ]


def test_saving_what_was_read_writes_the_same_bytes(pair, tmp_path):
    for name, tokenizer in pair._asdict().items():
        (tmp_path / name).mkdir()
        tokenizer.save(tmp_path / name)
    written = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in Pair._fields]
    assert written[0] == written[1] != {}


def test_a_tokenizer_is_one_file_and_no_other_is_left_beside_it(pair, tmp_path):
    pair.fitted.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [type(pair.fitted).file_name]


def test_a_save_that_fails_leaves_what_stood_there(pair, tmp_path, monkeypatch):
    path = tmp_path / type(pair.fitted).file_name
    path.write_bytes(b"before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} cannot be written: .*No space left.* unchanged$"):
        pair.fitted.save(tmp_path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"before"]


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_ids_in_range_that_are_words_and_the_same_after_loading(pair, text):
    ids, special = pair.fitted.encode(text), pair.fitted.special
    assert pair.loaded.encode(text) == ids
    assert all(0 <= i < len(pair.fitted) for i in ids)
    assert not {special.begin[0], special.eos, special.pad} & set(ids)
    assert isinstance(pair.fitted.decode(ids), str)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_ids_become_text(pair, data):
    ids = data.draw(st.lists(st.integers(0, len(pair.fitted) - 1)))
    assert pair.loaded.decode(ids) == pair.fitted.decode(ids)
    pair.fitted.decode(ids).encode()  # never half a character


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_caption_that_was_read_back_is_read_back_the_same_again(pair, caption):
    once = pair.fitted.decode(pair.fitted.encode(caption))
    assert len(once) > len(caption) / 2
    assert pair.fitted.decode(pair.fitted.encode(once)) == once


def test_half_a_character_is_replaced(pair):
    assert pair.fitted.encode("a dog \ud83d runs") == pair.fitted.encode("a dog \ufffd runs")


def test_captions_to_learn_from_may_hold_half_characters(pair, tmp_path_factory):
    name = next(name for name, kind in TOKENIZERS.items() if kind is type(pair.fitted))
    fitted = TOKENIZERS[name](**small(name, tmp_path_factory)).fit([*CAPTIONS, "a dog \udfff runs"])
    assert fitted.decode(fitted.encode("a brown dog")) == "a brown dog"


def test_special_ids_are_in_range_and_a_model_may_always_stop(pair):
    special = pair.fitted.special
    assert all(0 <= i < len(pair.fitted) for i in (special.begin[0], special.eos, special.pad, *special.suppress))
    assert special.eos not in special.suppress


def test_special_ids_are_silent(pair):
    special, words = pair.fitted.special, pair.fitted.encode("a brown dog")
    assert pair.fitted.decode([special.begin[0], *words, special.eos, special.pad]) == "a brown dog"


@pytest.mark.parametrize("written", ["<pad>", "<bos>", "<s>", "</s>", "<eos>", "<|endoftext|>"])
def test_a_written_special_word_is_no_special_id(pair, written):
    special = pair.fitted.special
    assert not {special.begin[0], special.eos, special.pad} & set(pair.fitted.encode(f"a {written} dog {written}"))


def test_the_mask_finds_the_words_again(pair):
    words = [pair.fitted.encode(caption) for caption in CAPTIONS]
    captions = batch([words], pair.fitted.special)
    for row, mask, same in zip(captions.tokens[0], captions.mask[0], words, strict=True):
        assert row[mask].tolist()[1:-1] == same


def test_a_folder_without_its_file_is_no_trained_run(pair, tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}/.* does not exist: {tmp_path} is no trained run$"):
        type(pair.fitted).load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\x00\xff" * 40, b"[" * 100_000], ids=repr)
def test_a_damaged_file_is_named(pair, tmp_path, content):
    path = tmp_path / type(pair.fitted).file_name
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} is damaged: .+") as told:
        type(pair.fitted).load(tmp_path)
    assert "\n" not in str(told.value)


def test_a_file_that_is_a_folder_cannot_be_read(pair, tmp_path):
    (tmp_path / type(pair.fitted).file_name).mkdir()
    with pytest.raises(InputError, match=r"is a folder, not an ordinary file$"):
        type(pair.fitted).load(tmp_path)
