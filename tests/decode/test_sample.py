"""Sampling: the frequencies are the probabilities, the seed is the only chance."""

import pytest
import torch

from showtell.decode import greedy, sample
from showtell.decode.sample import narrow, pick
from showtell.plumbing.errors import RecipeError

from .tree import SPECIAL, Tree, captions, features


def first_words(batch, **options):
    """How often each of 11 words comes first in 20,000 captions of each image."""
    decoded = sample(Tree(11), batch, SPECIAL, max_length=2, num_return_sequences=20_000, seed=7, **options)
    return torch.stack([word.bincount(minlength=11) for word in decoded.tokens[..., 1]]) / 20_000


def next_logits(batch):
    memory, state = Tree(11).start(batch)
    logits = Tree(11)(memory, state, torch.full((len(batch.pooled), 1, 1), SPECIAL.begin[0])).logits[:, 0, 0]
    return logits.index_fill(-1, torch.tensor(SPECIAL.suppress), -torch.inf)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_are_the_softmax(temperature):
    batch = features(2)
    expected = (next_logits(batch) / temperature).softmax(-1)
    error = (first_words(batch, temperature=temperature) - expected).abs()
    assert (error <= 4 * (expected * (1 - expected) / 20_000).sqrt()).all()


def test_later_words_are_drawn_afresh():
    batch = features(1)
    tokens = sample(Tree(11), batch, SPECIAL, max_length=3, num_return_sequences=20_000, seed=7).tokens[0]
    memory, state = Tree(11).start(batch)
    logits = Tree(11)(memory, state, torch.tensor([[[SPECIAL.begin[0], 4]]])).logits[0, 0, -1]
    expected = logits.index_fill(-1, torch.tensor(SPECIAL.suppress), -torch.inf).softmax(-1)
    second = tokens[tokens[:, 1] == 4, 2]
    error = (second.bincount(minlength=11) / len(second) - expected).abs()
    assert len(second) > 500 and (error <= 4 * (expected * (1 - expected) / len(second)).sqrt()).all()


def test_images_do_not_share_their_dice():
    batch = features(2)
    batch.pooled[:, :11] = 0  # the same words are as likely, what differs is a channel that the decoder does not read
    decoded = sample(Tree(11), batch, SPECIAL, num_return_sequences=40, seed=1, max_length=2)
    both = [[image.tokens for image in images] for images in captions(decoded)]
    assert both[0] != both[1]


def test_top_k_one_is_greedy():
    assert_greedy(top_k=1)


def test_a_tiny_nucleus_is_greedy():
    assert_greedy(top_p=1e-6)


def test_a_cold_temperature_is_greedy():
    assert_greedy(temperature=1e-8)


def assert_greedy(**options):
    batch, decoder = features(13), Tree(11, seed=2)
    drawn = captions(sample(decoder, batch, SPECIAL, max_length=8, seed=4, **options))
    assert drawn == captions(greedy(decoder, batch, SPECIAL, max_length=8))


def test_top_k_and_nucleus_keep_the_likeliest_words():
    logits = torch.tensor([[[0.1, 0.4, 0.2, 0.3]]]).log()
    close = {"atol": 1e-6, "rtol": 0}
    torch.testing.assert_close(narrow(logits, 0, 1.0), logits.exp(), **close)
    torch.testing.assert_close(narrow(logits, 2, 1.0), torch.tensor([[[0, 4 / 7, 0, 3 / 7]]]), **close)
    torch.testing.assert_close(narrow(logits, 0, 0.8), torch.tensor([[[0, 0.4, 0.2, 0.3]]]), **close)
    torch.testing.assert_close(narrow(logits, 0, 0.6), torch.tensor([[[0, 0.4, 0, 0.3]]]), **close)
    torch.testing.assert_close(narrow(logits, 2, 0.5), torch.tensor([[[0, 4 / 7, 0, 0]]]), **close)


def test_a_nucleus_of_many_words_is_found():
    probs = torch.rand(2, 3, 1000, generator=torch.Generator().manual_seed(0)).softmax(-1)
    ranked = probs.sort(dim=-1, descending=True).values
    for top_p in (0.1, 0.9):  # 256 words hold the first, not the second
        kept = (narrow(probs.log(), 0, top_p) > 0).sum(-1)
        fewest = (ranked.cumsum(-1) < top_p).sum(-1) + 1
        assert torch.equal(kept, fewest)


def test_no_die_picks_an_impossible_word():
    probs = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]).expand(4, 1, 5)
    dice = torch.tensor([[0.0], [0.29], [0.31], [1 - 2**-24]])
    assert pick(probs, dice).tolist() == [[1], [1], [3], [3]]


def test_a_seed_repeats_and_another_does_not():
    batch, decoder = features(3), Tree(11)
    first, again, other = (
        captions(sample(decoder, batch, SPECIAL, seed=seed, num_return_sequences=4)) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_without_a_seed_every_call_differs():
    batch, decoder = features(3), Tree(11)
    first, second = (captions(sample(decoder, batch, SPECIAL, num_return_sequences=4)) for _ in range(2))
    assert first != second


def test_the_likeliest_sample_comes_first():
    log_probs = sample(Tree(11), features(3), SPECIAL, num_return_sequences=6, seed=0).log_probs
    assert (log_probs[:, :-1] >= log_probs[:, 1:]).all() and (log_probs[:, 0] > log_probs[:, -1]).all()


WRONG = {
    "decode.temperature is 1e-30; it takes a number from 1e-08 to 100": {"temperature": 1e-30},
    "decode.temperature is 0; it takes a number from 1e-08 to 100": {"temperature": 0},
    "decode.top_p is 1.5; it takes a number above 0 and up to 1": {"top_p": 1.5},
    "decode.top_k is -1; it takes a whole number of at least 0": {"top_k": -1},
    "decode.seed is -3; it takes a whole number of at least 0 and at most 4294967295": {"seed": -3},
    "decode.num_return_sequences is 0; it takes a whole number of at least 1 and at most 50000": {
        "num_return_sequences": 0
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_options_out_of_range_are_refused(message):
    with pytest.raises(RecipeError) as error:
        sample(Tree(11), features(2), SPECIAL, **WRONG[message])
    assert str(error.value) == message
