"""What every strategy owes, and each new one by being in the table."""

import inspect

import pytest
import torch

from showtell.decode import STRATEGIES
from showtell.plumbing.errors import RecipeError

from .tree import ONE_ID, SPECIAL, Numbers, Tree, captions, features, replay

OPTIONS = {
    "greedy": {},
    "beam": {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 0.7},
    "diverse_beam": {
        "num_beams": 4,
        "num_beam_groups": 2,
        "diversity_penalty": 0.4,
        "num_return_sequences": 3,
        "length_penalty": 0.7,
    },
    "contrastive": {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 0.7, "beta": 0.001},
    "sample": {"num_return_sequences": 3, "seed": 5, "temperature": 1.5},
}
every_strategy = pytest.mark.parametrize("name", STRATEGIES)


def decode(name, *, decoder=None, batch=None, special=SPECIAL, spelling=None, **options):
    decoder = Tree(11, seed=3) if decoder is None else decoder
    batch = features(7) if batch is None else batch
    return STRATEGIES[name](decoder, batch, special, spelling, **{"max_length": 9, **OPTIONS[name], **options})


def said(decoded):
    return [caption.tokens for image in captions(decoded) for caption in image]


@every_strategy
def test_an_image_does_not_depend_on_the_others(name):
    batch = features(9)
    batch.pooled[:, SPECIAL.eos] += 1
    together = captions(decode(name, batch=batch))
    alone = [captions(decode(name, batch=batch.select(torch.tensor([b]))))[0] for b in range(9)]
    assert together == alone
    assert len({image[0].tokens for image in together}) > 3
    assert len({len(image[0].tokens) for image in together}) > 2


@every_strategy
def test_log_probs_are_those_of_a_replay(name):
    decoder, batch = Tree(11, seed=3), features(7)
    decoded = decode(name, decoder=decoder, batch=batch, no_repeat_ngram_size=2, min_length=3)
    torch.testing.assert_close(decoded.log_probs, replay(decoder, batch, decoded), atol=1e-5, rtol=0)


@every_strategy
def test_a_caption_is_bos_words_eos_and_padding(name):
    decoded = decode(name, max_length=6)
    assert decoded.tokens.shape == decoded.mask.shape and decoded.tokens.shape[:2] == decoded.log_probs.shape
    assert decoded.tokens.shape[-1] <= 6 and (decoded.tokens[~decoded.mask] == SPECIAL.pad).all()
    for tokens in said(decoded):
        assert tokens[0] == SPECIAL.begin[0] and SPECIAL.eos not in tokens[:-1]
        assert tokens[-1] == SPECIAL.eos or len(tokens) == 6


@every_strategy
@pytest.mark.parametrize("length", [2, 3, 7])
def test_max_length_counts_bos_and_eos(name, length):
    never = Tree(11, seed=3)
    batch = features(7)
    batch.pooled[:, SPECIAL.eos] = -50
    assert {len(tokens) for tokens in said(decode(name, decoder=never, batch=batch, max_length=length))} == {length}


@every_strategy
@pytest.mark.parametrize("length", [0, 2, 6, 8])
def test_eos_comes_when_bos_and_words_are_min_length(name, length):
    batch = features(7)
    batch.pooled[:, SPECIAL.eos] += 3
    found = {len(tokens) for tokens in said(decode(name, batch=batch, min_length=length))}
    assert min(found) == max(2, length + 1)


@every_strategy
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_is_said_twice(name, size):
    batch = features(7)
    batch.pooled[:, 4:6] += 6  # two words that would be said all the time
    options = {"batch": batch, "max_length": 12, "decoder": Tree(40, seed=3)}
    assert any(repeats(tokens, size) for tokens in said(decode(name, **options)))
    assert not any(repeats(tokens, size) for tokens in said(decode(name, no_repeat_ngram_size=size, **options)))


def repeats(tokens, size):
    ngrams = list(zip(*(tokens[start:] for start in range(size)), strict=False))
    return len(ngrams) > len(set(ngrams))


@every_strategy
def test_suppressed_ids_are_never_said(name):
    batch = features(7)
    batch.pooled[:, list(SPECIAL.suppress)] += 9
    assert not {word for tokens in said(decode(name, batch=batch)) for word in tokens[1:]} & set(SPECIAL.suppress)


def holds(tokens, *ids):
    return any(tokens[start : start + len(ids)] == ids for start in range(len(tokens)))


@every_strategy
def test_what_must_not_be_said_is_not(name):
    batch = features(7)
    batch.pooled[:, [4, 5, 6, 9]] += 3  # said all the time, also one after the other
    options = {"batch": batch, "decoder": Tree(13, seed=3)}
    free = said(decode(name, **options))
    never = said(decode(name, **options, spelling=Numbers(), must_not=["5 6", "6 5", "6 6 6", "9", "4"]))
    assert all(any(holds(tokens, *ids) for tokens in free) for ids in ([5, 6], [9], [4]))
    assert not any(holds(tokens, *ids) for ids in ([5, 6], [6, 5], [6, 6, 6], [9], [4]) for tokens in never)
    assert any(5 in tokens for tokens in never) and any(6 in tokens for tokens in never)


class Odd(Numbers):
    """Every phrase can also be written as 9, as nobody does."""

    def spellings(self, phrase):
        return (*self.forms(phrase).ways, (9,))


@every_strategy
def test_what_must_not_be_said_is_not_spelt_oddly_either(name):
    batch = features(7)
    batch.pooled[:, [4, 5, 6, 9]] += 3
    options = {"batch": batch, "decoder": Tree(13, seed=3)}
    assert any(9 in tokens for tokens in said(decode(name, **options)))
    assert not any(9 in tokens for tokens in said(decode(name, **options, spelling=Odd(), must_not=["5 6"])))


@every_strategy
def test_what_must_not_begin_a_caption_may_stand_within_it(name):
    batch = features(7)
    batch.pooled[:, 5] += 4
    never = said(decode(name, batch=batch, spelling=Numbers(), must_not=["1 5"]))  # 1 is bos
    assert not any(tokens[1] == 5 for tokens in never) and any(5 in tokens for tokens in never)


@every_strategy
def test_a_word_that_has_no_ids_is_never_said_anyway(name):
    free, never = decode(name), decode(name, spelling=Numbers(), must_not=["zebra", "5 zebra"])
    assert captions(free) == captions(never)


@every_strategy
def test_text_without_a_spelling_is_refused(name):
    with pytest.raises(RecipeError, match=r"^decode.must_not has 'dog', but .*tokenizer.*spelling"):
        decode(name, must_not=["dog"])


@every_strategy
@pytest.mark.parametrize("size", [0, 1, 2])
def test_bos_eos_and_pad_may_be_one_id(name, size):
    batch = features(7)
    batch.pooled[:, ONE_ID.eos] += 4
    decoded = decode(name, batch=batch, special=ONE_ID, min_length=3, no_repeat_ngram_size=size)
    for tokens in said(decoded):
        assert len(tokens) > 1 and tokens[0] == ONE_ID.begin[0]
        assert ONE_ID.eos not in tokens[1:-1] and (tokens[-1] == ONE_ID.eos or len(tokens) == 9)
    assert any(len(tokens) < 9 for tokens in said(decoded))


@every_strategy
def test_a_caption_that_may_say_nothing_more_ends(name):
    limits = {"no_repeat_ngram_size": 1, "min_length": 8}  # but there are only three words
    for tokens in said(decode(name, decoder=Tree(7), batch=features(7), **limits)):
        assert tokens[-1] == SPECIAL.eos and sorted(tokens[1:-1]) == [4, 5, 6]


@every_strategy
def test_late_images_are_not_slowed_by_done_ones(name):
    batch = features(7)
    batch.pooled[:6, SPECIAL.eos] = 50  # all but the last say nothing
    batch.pooled[6:, SPECIAL.eos] = -50
    decoder, alone = Tree(11), Tree(11)
    options = {"max_length": 60, **({"length_penalty": 0.0} if "length_penalty" in OPTIONS[name] else {})}
    decode(name, decoder=decoder, batch=batch, **options)
    decode(name, decoder=alone, batch=batch.select(torch.tensor([6])), **options)
    assert decoder.rows < 2 * alone.rows


@every_strategy
def test_what_is_returned_can_be_trained_on(name):
    decoded = decode(name)
    table = torch.nn.Embedding(11, 6)
    (table(decoded.tokens).sum(-1) * decoded.mask * decoded.log_probs[..., None]).sum().backward()
    assert table.weight.grad is not None


@every_strategy
def test_the_global_random_numbers_stay_as_they_are(name):
    before = torch.get_rng_state()
    decode(name, **({"seed": None} if name == "sample" else {}))
    assert torch.equal(before, torch.get_rng_state())


@every_strategy
def test_options_are_keywords_with_a_type_and_a_default(name):
    parameters = list(inspect.signature(STRATEGIES[name]).parameters.values())
    assert [parameter.name for parameter in parameters[:4]] == ["decoder", "features", "special", "spelling"]
    assert parameters[3].default is None
    for parameter in parameters[4:]:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty and parameter.annotation is not parameter.empty


WRONG = {
    "decode.max_length is 1000000; it takes a whole number of at least 2 and at most 1024": {"max_length": 10**6},
    "decode.max_length is 1; it takes a whole number of at least 2 and at most 1024": {"max_length": 1},
    "decode.min_length is -1; it takes a whole number of at least 0": {"min_length": -1},
    "decode.min_length is 9; it takes at most 8 if max_length is 9: ": {"min_length": 9},
    "decode.must_not is ['', 'dog']; it takes a list of words and phrases, none of them empty": {
        "must_not": ["", "dog"]
    },
    "decode.no_repeat_ngram_size is 2.5; it takes a whole number of at least 0": {"no_repeat_ngram_size": 2.5},
}


@every_strategy
@pytest.mark.parametrize("message", WRONG)
def test_limits_out_of_range_are_refused(name, message):
    with pytest.raises(RecipeError) as error:
        decode(name, **WRONG[message])
    assert str(error.value).startswith(message)
