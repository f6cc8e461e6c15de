"""Beam search against all captions there are, and against a slow search of plain Python loops."""

import pytest
import torch

from showtell.decode import beam, greedy
from showtell.plumbing.errors import RecipeError
from showtell.tokenizers.captions import Special

from .tree import SPECIAL, Tree, captions, features

TWO_WORDS = Special(begin=(4,), eos=1, pad=0, suppress=(0, 4))  # with V = 5 there are two words to say


def log_probs_after(decoder, image, tokens, special):
    memory, state = decoder.start(image)
    log_probs = decoder(memory, state, torch.tensor([[tokens]])).logits[0, 0, -1].log_softmax(-1)
    return {word: float(log_prob) for word, log_prob in enumerate(log_probs) if word not in special.suppress}


def all_captions(decoder, image, special, max_length):
    """Every caption of at most max_length tokens, with its log probability."""
    growing, found = {(special.begin[0],): 0.0}, {}
    for length in range(2, max_length + 1):
        grown = {
            (*tokens, word): total + log_prob
            for tokens, total in growing.items()
            for word, log_prob in log_probs_after(decoder, image, tokens, special).items()
        }
        ended = {tokens for tokens in grown if tokens[-1] == special.eos or length == max_length}
        found |= {tokens: grown[tokens] for tokens in ended}
        growing = {tokens: total for tokens, total in grown.items() if tokens not in ended}
    return found


def slow_beam(decoder, image, special, num_beams, max_length, penalty):
    """The same rules, one candidate at a time."""
    live, kept = [((special.begin[0],), 0.0)], []
    for length in range(1, max_length):
        candidates = [
            ((*tokens, word), total + log_prob)
            for tokens, total in live
            for word, log_prob in log_probs_after(decoder, image, tokens, special).items()
        ]
        candidates = sorted(candidates, key=lambda candidate: -candidate[1])[: 2 * num_beams]
        last = length == max_length - 1
        for tokens, total in candidates[:num_beams]:
            if tokens[-1] == special.eos or last:
                kept.append((tokens, total, total / length**penalty))
        kept = sorted(kept, key=lambda caption: -caption[2])[:num_beams]
        live = [candidate for candidate in candidates if candidate[0][-1] != special.eos][:num_beams]
        longest = max_length - 1 if penalty > 0 else length + 1
        if last or not live or (len(kept) == num_beams and live[0][1] / longest**penalty <= kept[-1][2]):
            return kept
    raise AssertionError("the last step returns")


@pytest.mark.parametrize("penalty", [-0.5, 0.0, 0.7, 1.0])
def test_enough_beams_find_the_likeliest_of_all_captions(penalty):
    batch, decoder = features(3, seed=1), Tree(6, seed=4)
    special = SPECIAL._replace(suppress=(0, 1))
    decoded = beam(
        decoder, batch, special, num_beams=4**4, max_length=5, length_penalty=penalty, num_return_sequences=50
    )
    for b, found in enumerate(captions(decoded)):
        everything = all_captions(decoder, batch.select(torch.tensor([b])), special, 5)
        assert len(everything) == 1 + 3 + 9 + 27 * 4
        best = sorted(everything, key=lambda tokens: -everything[tokens] / (len(tokens) - 1) ** penalty)
        assert [caption.tokens for caption in found] == best[:50]
        assert [caption.log_prob for caption in found] == pytest.approx([everything[t] for t in best[:50]], abs=1e-5)


@pytest.mark.parametrize("penalty", [-0.5, 0.0, 0.7, 2.0])
@pytest.mark.parametrize("num_beams", [2, 3, 5])
def test_beam_search_equals_a_slow_one(num_beams, penalty):
    for seed, spread in enumerate([3.0, 10.0, 30.0, 10.0, 3.0]):
        batch, decoder = features(3, seed=seed), Tree(11, seed=seed, spread=spread)
        batch.pooled[:, SPECIAL.eos] += 0.6 * spread  # some end early, and with a penalty long ones win late
        lengths = {"max_length": 8, "length_penalty": penalty}
        decoded = beam(decoder, batch, SPECIAL, num_beams=num_beams, num_return_sequences=num_beams, **lengths)
        for b, found in enumerate(captions(decoded)):
            slow = slow_beam(decoder, batch.select(torch.tensor([b])), SPECIAL, num_beams, 8, penalty)
            assert [caption.tokens for caption in found] == [tokens for tokens, _, _ in slow]
            assert [caption.log_prob for caption in found] == pytest.approx([total for _, total, _ in slow], abs=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_one_beam_is_greedy(penalty):
    batch, decoder = features(13), Tree(11, seed=6)
    options = {"max_length": 8, "min_length": 3, "no_repeat_ngram_size": 2}
    found = beam(decoder, batch, SPECIAL, num_beams=1, length_penalty=penalty, **options)
    assert captions(found) == captions(greedy(decoder, batch, SPECIAL, **options))


def test_beams_find_likelier_captions_than_greedy():
    batch, decoder = features(13), Tree(11, seed=6)
    single, five = (search(decoder, batch, SPECIAL, max_length=8).log_probs[:, 0] for search in (greedy, beam))
    assert (five >= single).all() and (five > single).any()


def test_a_length_penalty_prefers_longer_captions():
    batch, decoder = features(13), Tree(11, seed=6)
    batch.pooled[:, SPECIAL.eos] += 1
    plain, long = (beam(decoder, batch, SPECIAL, length_penalty=p, max_length=12).mask.sum() for p in (0.0, 2.0))
    assert long > plain


@pytest.mark.parametrize("num_beams", [4, 9, 16, 24, 30])
def test_more_beams_than_captions_give_only_those_that_exist(num_beams):
    batch, decoder = features(2), Tree(5)
    decoded = beam(decoder, batch, TWO_WORDS, num_beams=num_beams, num_return_sequences=num_beams, max_length=4)
    possible = set(all_captions(decoder, batch.select(torch.tensor([0])), TWO_WORDS, 4))
    assert len(possible) == 15
    for found in captions(decoded):
        assert {caption.tokens for caption in found[:15]} <= possible
        assert len({caption.tokens for caption in found}) == min(num_beams, 16)  # with the empty one
        assert found[15:] == [((), -torch.inf)] * (num_beams - 15)
    assert (decoded.tokens[~decoded.mask] == TWO_WORDS.pad).all()


def test_an_image_is_done_as_soon_as_nothing_can_beat_what_is_kept():
    batch, decoder = features(1), Tree(11, spread=0.1)
    batch.pooled[:] = 0
    batch.pooled[:, SPECIAL.eos] = 20  # eos is nearly certain, two beams keep two captions after two steps
    beam(decoder, batch, SPECIAL, num_beams=2)
    assert decoder.rows == 1 + 2


def test_a_recipe_that_wants_more_captions_than_beams_is_refused():
    with pytest.raises(RecipeError, match=r"^decode.num_return_sequences is 3; .*at most 2 if num_beams is 2: "):
        beam(Tree(11), features(2), SPECIAL, num_beams=2, num_return_sequences=3)


WRONG = {
    "decode.num_beams is 257; it takes a whole number of at least 1 and at most 256": {"num_beams": 257},
    "decode.num_beams is 0; it takes a whole number of at least 1 and at most 256": {"num_beams": 0},
    "decode.num_beams is True; it takes a whole number of at least 1 and at most 256": {"num_beams": True},
    "decode.length_penalty is nan; it takes a number from -10 to 10": {"length_penalty": float("nan")},
}


@pytest.mark.parametrize("message", WRONG)
def test_options_out_of_range_are_refused(message):
    with pytest.raises(RecipeError) as error:
        beam(Tree(11), features(2), SPECIAL, **WRONG[message])
    assert str(error.value) == message
