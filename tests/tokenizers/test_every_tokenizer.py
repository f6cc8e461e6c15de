"""What every tokenizer of the table promises: ids in range, special ids kept apart, the same after save and load."""

import inspect
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.errors import InputError
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer

CAPTIONS = [
    "A brown dog runs on the grass .",
    "The man's dog, a brown one, isn't running.",
    "Two women in red t-shirts stand near a dog",
    "Ein Hund läuft über die Straße!",
    "一只狗 在草地上",
]


class Pair(NamedTuple):
    """A tokenizer that was fitted, and one that was read from its file."""

    fitted: Tokenizer
    loaded: Tokenizer


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def pair(request, tmp_path_factory):
    kind, folder = TOKENIZERS[request.param], tmp_path_factory.mktemp(request.param)
    options = {"min_count": 1} if "min_count" in inspect.signature(kind).parameters else {}
    fitted = kind(**options).fit(CAPTIONS)
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


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_becomes_ids_in_range_that_are_words_and_the_same_after_loading(pair, text):
    ids, special = pair.fitted.encode(text), pair.fitted.special
    assert pair.loaded.encode(text) == ids
    assert all(0 <= i < len(pair.fitted) for i in ids)
    assert not {special.bos, special.eos, special.pad} & set(ids)
    assert isinstance(pair.fitted.decode(ids), str)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_ids_become_text(pair, data):
    ids = data.draw(st.lists(st.integers(0, len(pair.fitted) - 1)))
    assert pair.loaded.decode(ids) == pair.fitted.decode(ids)


def test_special_ids_are_in_range_and_a_model_may_always_stop(pair):
    special = pair.fitted.special
    assert all(0 <= i < len(pair.fitted) for i in (special.bos, special.eos, special.pad, *special.suppress))
    assert special.eos not in special.suppress


def test_special_ids_are_silent(pair):
    special, words = pair.fitted.special, pair.fitted.encode("a brown dog")
    assert pair.fitted.decode([special.bos, *words, special.eos, special.pad]) == "a brown dog"


def test_a_folder_without_its_file_is_no_trained_run(pair, tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}/.* does not exist: {tmp_path} is no trained run$"):
        type(pair.fitted).load(tmp_path)
