"""The tokenizer of a language model: its own ids, a prompt, what a run keeps of it, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError
from showtell.tokenizers.pretrained import Pretrained
from tests.captioners.huggingface.tiny import byte_pairs
from tests.language import tiny_language_model

TEXTS = ["a dog runs on the beach", "Two cats sit.", "", "é ñ 犬 🐕", " a  b "]


@pytest.fixture(scope="module")
def tokenizer():
    return Pretrained(model=tiny_language_model())


@pytest.fixture(scope="module")
def prompted():
    return Pretrained(model=tiny_language_model(), prompt="a photo of ")


@pytest.mark.parametrize("text", TEXTS)
def test_ids_are_those_of_transformers(tokenizer, text):
    theirs = byte_pairs()
    assert tokenizer.encode(text) == theirs.encode(text, add_special_tokens=False)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.slow
@given(st.text(max_size=30))
def test_any_text_comes_back(text):
    tokenizer = Pretrained(model=tiny_language_model())
    clean = text.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text
    assert not any(i < 3 for i in tokenizer.encode(text))
    if clean == text:
        assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", TEXTS[:4])
def test_behind_a_prompt_a_caption_is_read_as_in_one_text(prompted, text):
    theirs = byte_pairs()
    whole = theirs.encode(f"a photo of {text}" if text else "a photo of", add_special_tokens=False)
    assert [*prompted.special.begin[1:], *prompted.encode(text)] == whole
    assert prompted.decode(prompted.encode(text)) == text


def test_special_ids_are_the_models(tokenizer, prompted):
    theirs = byte_pairs()
    assert tokenizer.special.begin == (theirs.bos_token_id,)
    assert (tokenizer.special.eos, tokenizer.special.pad) == (theirs.eos_token_id, theirs.pad_token_id)
    assert tokenizer.special.suppress == (theirs.bos_token_id, theirs.pad_token_id)
    assert prompted.special.begin[0] == theirs.bos_token_id and len(prompted.special.begin) > 1
    assert len(tokenizer) == len(theirs)


def test_a_run_keeps_it_whole(prompted, tmp_path):
    prompted.save(tmp_path)
    again = Pretrained.load(tmp_path)
    assert again.special == prompted.special and len(again) == len(prompted)
    for text in TEXTS:
        assert again.encode(text) == prompted.encode(text)
        assert again.decode(prompted.encode(text)) == prompted.decode(prompted.encode(text))


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept | {"tokenizer": {"model": 1}},
        lambda kept: {key: value for key, value in kept.items() if key != "eos"},
        lambda kept: kept | {"eos": 10**6},
        lambda kept: kept | {"suppress": ["x"]},
        lambda kept: [],
    ],
)
def test_a_damaged_file_is_refused(prompted, tmp_path, change):
    prompted.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match="damaged"):
        Pretrained.load(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(InputError) as caught:
        Pretrained(model=str(tmp_path))
    assert caught.value.key == "tokenizer.model" and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["nobody/nothing", "./nothing", "nothing.gguf", "nothing"])
def test_a_name_that_leads_nowhere_is_refused(name):
    with pytest.raises(InputError) as caught:
        Pretrained(model=name)
    assert caught.value.key == "tokenizer.model" and name in str(caught.value)
