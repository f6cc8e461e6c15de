"""Every tokenizer in a whole training: a run that captions, explains, goes on, and is read without a package."""

import importlib.util

import pytest

import showtell
from showtell.explain.explain import explain
from showtell.recipe.build import build
from showtell.tokenizers import TOKENIZERS
from showtell.training import loop as train
from tests.language import tiny_language_model
from tests.small import FROZEN, small_recipe, train_small
from tests.tokenizers.test_every_tokenizer import small

OPTIONS = {"words": ["tokenizer.min_count=1"], "sentencepiece": ["tokenizer.vocabulary_size=45"]}
OPTIONS["pretrained"] = [f"tokenizer.model={tiny_language_model()}"]
FEW = [*FROZEN, "train.max_steps=2", "train.epochs=1", "decoder.dropout=0"]


@pytest.fixture(scope="module", params=list(TOKENIZERS))
def run(request, tmp_path_factory):
    """A run of two steps; not to be changed."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    options = OPTIONS.get(request.param, [])
    if request.param == "word_map":
        options = [f"tokenizer.file={small(request.param, tmp_path_factory)['file']}"]
    train_small(folder, f"tokenizer={request.param}", *options, *FEW)
    return folder


@pytest.fixture
def photo():
    return build(small_recipe(), "data")[0].path


def test_a_run_captions_photos_within_its_vocabulary(run, photo):
    captioner = showtell.load(run)
    for decode in ({}, {"name": "greedy", "max_length": 9}, {"name": "sample", "seed": 1, "max_length": 9}):
        (caption,) = captioner.caption([photo], **decode)
        special = captioner.tokenizer.special
        words = caption.tokens[1:-1] if caption.tokens[-1] == special.eos else caption.tokens[1:]
        assert caption.tokens[0] == special.begin[0] and not {special.eos, *special.suppress} & set(words)
        assert caption.text == captioner.tokenizer.decode(words)


@pytest.mark.slow
def test_a_caption_may_end_at_once_or_never(run, photo):
    for favour, length in ((1e4, 2), (-1e4, 7)):
        captioner = showtell.load(run)
        special = captioner.tokenizer.special
        lean(captioner, special.eos, favour)
        for name in ("greedy", "beam", "sample"):
            (caption,) = captioner.caption([photo], name=name, max_length=7)
            assert len(caption.tokens) == length and (caption.tokens[-1] == special.eos) == (favour > 0)
            assert favour < 0 or caption.text == ""


def test_explain_gives_every_word_that_was_said_its_map(run, photo):
    captioner = showtell.load(run)
    found = explain(captioner, captioner.open(photo), max_length=6)
    (caption,) = captioner.caption([photo], max_length=6)
    ended = caption.tokens[-1] == captioner.tokenizer.special.eos
    assert found.text == caption.text
    assert "".join(found.words) == "".join(caption.text.split())  # pieces of a word share its map
    assert len(found.maps) == len(found.words) <= len(caption.tokens) - 1 - ended


@pytest.mark.slow
def test_gpt2s_run_is_loaded_and_goes_on_without_its_files(tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train.Job, "step", stop)
        train_small(run, "tokenizer=gpt2", *FEW)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    train_small(run, "tokenizer=gpt2", *FEW, resume=True)
    assert showtell.load(run).tokenizer.encode("a kitchen") == [64, 9592]


def stop(_):
    raise KeyboardInterrupt


def lean(captioner, word, favour):
    """Give the captioner a decoder that likes one word more, or less, by `favour`."""
    forward = captioner.decoder.forward

    def leaning(*arguments, **options):
        output = forward(*arguments, **options)
        output.logits[..., word] += favour
        return output

    captioner.decoder.forward = leaning
