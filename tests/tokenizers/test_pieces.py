"""SentencePiece: as many pieces as were asked for, the limits that captions set, what normalising leaves."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.plumbing.errors import InputError, RecipeError
from showtell.tokenizers import SentencePiece

CAPTIONS = [f"{a} {b} dog runs near the {c}." for a in ("A", "One") for b in ("big", "brown") for c in ("sea", "road")]
words = st.text("abcdefg", min_size=1, max_size=7)
corpora = st.lists(words, min_size=1, max_size=12).flatmap(
    lambda known: st.lists(st.lists(st.sampled_from(known), min_size=1).map(" ".join), min_size=1, max_size=40)
)
MODELS = pytest.mark.parametrize("model", ["bpe", "unigram"])


def limit(captions, model, wanted=8000, end=r"allow at most (\d+)$"):
    with pytest.raises(RecipeError, match=rf"^tokenizer\.vocabulary_size is {wanted}; these captions ") as told:
        SentencePiece(vocabulary_size=wanted, model=model).fit(captions)
    return int(re.search(end, str(told.value))[1])


@pytest.mark.parametrize(("model", "size"), [("bpe", 40), ("bpe", 50), ("unigram", 25)])
def test_the_vocabulary_is_exactly_as_large_as_was_asked(model, size):
    pieces = SentencePiece(vocabulary_size=size, model=model).fit(CAPTIONS)
    assert len(pieces) == size and len({pieces.processor.id_to_piece(i) for i in range(size)}) == size


def test_the_first_ids_are_pad_bos_eos_unk_and_only_eos_may_be_said():
    pieces = SentencePiece(vocabulary_size=40).fit(CAPTIONS)
    assert pieces.special == ((1,), 2, 0, (0, 1, 3))
    assert [pieces.processor.is_control(i) for i in range(3)] == [True] * 3 and pieces.processor.is_unknown(3)


@pytest.mark.slow
@given(corpora, st.sampled_from(["bpe", "unigram"]))
@settings(max_examples=40, deadline=None)
def test_the_largest_vocabulary_that_is_named_works_and_one_more_does_not(captions, model):
    most = limit(captions, model)
    assert len(SentencePiece(vocabulary_size=most, model=model).fit(captions)) == most
    assert limit(captions, model, most + 1) == most


@MODELS
def test_the_smallest_vocabulary_that_is_named_works_and_one_less_does_not(model):
    end = r"allow at least (\d+), because each of their letters"
    least = limit(CAPTIONS, model, 5, end)
    assert len(SentencePiece(vocabulary_size=least, model=model).fit(CAPTIONS)) == least
    assert limit(CAPTIONS, model, least - 1, end) == least


@MODELS
@pytest.mark.parametrize("captions", [[], [""], ["  ", "\n"]])
def test_captions_without_text_are_an_error(model, captions):
    with pytest.raises(
        InputError, match=rf"^{len(captions)} captions have no text that SentencePiece could learn from$"
    ):
        SentencePiece(model=model).fit(captions)


@MODELS
def test_the_same_captions_give_the_same_bytes(model):
    first, second = (SentencePiece(vocabulary_size=25, model=model).fit(CAPTIONS) for _ in range(2))
    assert first.processor.serialized_model_proto() == second.processor.serialized_model_proto()


@MODELS
def test_learning_says_nothing_and_leaves_no_file(model, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    SentencePiece(vocabulary_size=25, model=model).fit(CAPTIONS)
    limit(CAPTIONS, model)
    assert capfd.readouterr() == ("", "") and not list(tmp_path.iterdir())


@given(st.text("abegnorsd ."))
@settings(deadline=None)
def test_a_text_of_known_letters_comes_back_with_its_spaces_made_one(text):
    assert KNOWN.decode(KNOWN.encode(text)) == " ".join(text.split())


KNOWN = SentencePiece(vocabulary_size=45).fit(CAPTIONS)


def test_lower_case_is_a_choice():
    assert KNOWN.decode(KNOWN.encode("A DOG")) == "a dog"
    kept = SentencePiece(vocabulary_size=45, lower_case=False).fit(CAPTIONS)
    assert kept.decode(kept.encode("A dog.")) == "A dog."


def test_a_letter_that_the_captions_never_had_is_unk():
    assert 3 in KNOWN.encode("a dög") and KNOWN.decode(KNOWN.encode("a dög")) == "a d<unk>g"


def test_look_alikes_are_written_out():
    assert KNOWN.encode("ａ\u00a0ｄｏｇ") == KNOWN.encode("a dog")


def test_a_caption_of_any_length_is_learnt_from():
    long = " ".join(["cat"] * 5000)  # SentencePiece itself leaves out what is above 4,192 bytes
    pieces = SentencePiece(vocabulary_size=9).fit([long])
    assert pieces.decode(pieces.encode("cat")) == "cat" and 3 not in pieces.encode("cat")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(InputError, match=r"pip install 'showtell\[sentencepiece\]'$"):
        SentencePiece()


def test_a_model_with_other_special_ids_is_not_taken(tmp_path):
    import io

    import sentencepiece

    foreign = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS), model_writer=foreign, vocab_size=40, model_type="bpe", minloglevel=2
    )
    (tmp_path / "tokenizer.model").write_bytes(foreign.getvalue())
    with pytest.raises(InputError, match=r"tokenizer\.model is damaged: .*pad, bos, eos and unk are \[-1, 1, 2, 0\]"):
        SentencePiece.load(tmp_path)
