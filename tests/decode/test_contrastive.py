"""Contrastive decoding against its definition: all captions there are, plain loops, and plain beam search."""

import math

import pytest
import torch

from showtell.decode import beam, contrastive
from showtell.decode.contrastive import Contrast
from showtell.decode.distort import distort
from showtell.plumbing.errors import RecipeError

from .tree import SPECIAL, Numbers, Tree, captions, features, replay

FEW = SPECIAL._replace(suppress=(0, 1))
NOISY = {"noise": 1.5, "masked": 0.0, "seed": 4}


def logits_after(decoder, image, tokens):
    memory, state = decoder.start(image)
    return decoder(memory, state, torch.tensor([[tokens]])).logits[0, 0, -1].double()


def contrast_after(decoder, image, tokens, alpha, beta, special=FEW):
    """{word: its score} of the words that may come and are likely enough, by the definition."""
    clean = logits_after(decoder, image, tokens).softmax(-1).tolist()
    habit = logits_after(decoder, distort(image, **NOISY), tokens).softmax(-1).tolist()
    allowed = [word for word in range(len(clean)) if word not in special.suppress]
    likely = [word for word, p in enumerate(clean) if p >= beta * max(clean[each] for each in allowed)]
    scores = {word: clean[word] ** (1 + alpha) / habit[word] ** alpha for word in likely}
    return {word: math.log(scores[word] / sum(scores.values())) for word in likely if word in allowed}


def all_captions(decoder, image, max_length, alpha, beta):
    """Every caption of likely words, with its score."""
    growing, found = {FEW.begin: 0.0}, {}
    for length in range(2, max_length + 1):
        grown = {
            (*tokens, word): total + score
            for tokens, total in growing.items()
            for word, score in contrast_after(decoder, image, tokens, alpha, beta).items()
        }
        found |= {tokens: grown[tokens] for tokens in grown if tokens[-1] == FEW.eos or length == max_length}
        growing = {tokens: total for tokens, total in grown.items() if tokens not in found}
    return found


@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.0), (2.0, 0.1), (0.0, 0.3), (1.0, 1.0)])
def test_enough_beams_find_the_best_of_all_captions(alpha, beta, penalty):
    batch, decoder = features(3, seed=1), Tree(6, seed=4)
    options = {"max_length": 5, "num_beams": 4**4, "num_return_sequences": 50, "length_penalty": penalty}
    decoded = contrastive(decoder, batch, FEW, alpha=alpha, beta=beta, **NOISY, **options)
    own = replay(decoder, batch, decoded).tolist()
    for b, found in enumerate(captions(decoded)):
        everything = all_captions(decoder, batch.select(torch.tensor([b])), 5, alpha, beta)
        best = sorted(everything, key=lambda tokens: -everything[tokens] / (len(tokens) - 1) ** penalty)[:50]
        assert [caption.tokens for caption in found if caption.tokens] == best
        assert [caption.log_prob for caption in found[: len(best)]] == pytest.approx(own[b][: len(best)], abs=1e-5)


def test_without_contrast_and_limit_it_is_beam_search():
    batch, decoder = features(9), Tree(11, seed=3)
    batch.pooled[:, SPECIAL.eos] += 1
    for options in (
        {"num_beams": 1},
        {"num_beams": 5, "num_return_sequences": 5},
        {"num_beams": 3, "length_penalty": 0.7, "no_repeat_ngram_size": 2, "min_length": 4},
        {"num_beams": 3, "must": ["5", "6 4"], "must_not": ["7"], "spelling": Numbers(), "num_return_sequences": 3},
        {"num_beams": 1, "must": ["5"], "spelling": Numbers()},
    ):
        options = {"max_length": 9, **options}
        plain, found = (
            beam(decoder, batch, SPECIAL, **options),
            contrastive(decoder, batch, SPECIAL, alpha=0.0, beta=0.0, **options),
        )
        assert torch.equal(plain.tokens, found.tokens) and torch.equal(plain.mask, found.mask)
        torch.testing.assert_close(plain.log_probs, found.log_probs, atol=1e-5, rtol=0)


def test_one_beam_takes_the_best_word_at_every_step():
    batch, decoder = features(5, seed=2), Tree(11, seed=6)
    found = captions(contrastive(decoder, batch, SPECIAL, alpha=1.0, num_beams=1, max_length=7, **NOISY))
    for b, (caption,) in enumerate(found):
        tokens = SPECIAL.begin
        while len(tokens) < 7 and tokens[-1] != SPECIAL.eos:
            scores = contrast_after(decoder, batch.select(torch.tensor([b])), tokens, 1.0, 0.1, SPECIAL)
            tokens = (*tokens, max(scores, key=scores.get))
        assert caption.tokens == tokens


def test_contrast_says_what_habit_does_not():
    batch, decoder = features(13), Tree(11, seed=6)
    plain, found = (
        captions(contrastive(decoder, batch, SPECIAL, alpha=alpha, max_length=8, **NOISY)) for alpha in (0.0, 2.0)
    )
    assert sum(one[0].tokens != other[0].tokens for one, other in zip(plain, found, strict=True)) > 3
    assert sum(image[0].log_prob for image in found) < sum(image[0].log_prob for image in plain)


LENGTHS = {"max_length": 9, "min_length": 0, "no_repeat_ngram_size": 0}


def scores(clean, habit, **options):
    """Probabilities by the contrast of words 4, 5, 6 .. after bos, by their probabilities in either sight."""
    logits = torch.full((2, 4 + len(clean)), -30.0)
    logits[:, 4:] = torch.tensor([clean, habit]).log()
    limits = Contrast(SPECIAL, torch.device("cpu"), 1.0, 0.1, None, **{**LENGTHS, **options})
    return limits.next_words(logits.view(1, 1, 1, -1), torch.tensor([[SPECIAL.begin]])).exp()[0, 0, 4:].tolist()


def test_the_example_of_its_docstring():
    dog, cat, zebra = scores([0.5, 0.4, 0.01], [0.5, 0.1, 0.00001])
    assert (dog, cat, zebra) == pytest.approx((0.5 / 2.1, 1.6 / 2.1, 0.0), abs=1e-6)


def test_a_likely_word_that_may_not_come_hides_no_other():
    _, cat, zebra = scores([0.9, 0.05, 0.04], [0.3, 0.3, 0.3], banned=[(4,)])
    assert cat > zebra > 0
    assert scores([0.9, 0.05, 0.04], [0.3, 0.3, 0.3])[1:] == [0, 0]


def test_what_must_be_said_is_said_though_it_is_unlikely():
    batch, decoder = features(7), Tree(11, seed=3)
    batch.pooled[:, [5, 9]] -= 20
    found = contrastive(decoder, batch, SPECIAL, Numbers(), must=["5 9"], beta=0.5, num_beams=3, max_length=8)
    for (caption,) in captions(found):
        assert "5, 9" in str(caption.tokens) and caption.tokens.count(5) == 1


def test_the_seed_decides_what_is_said():
    batch, decoder = features(13), Tree(11, seed=6)
    one, same, other = (
        captions(contrastive(decoder, batch, SPECIAL, alpha=2.0, seed=seed, max_length=8)) for seed in (1, 1, 2)
    )
    assert one == same != other


WRONG = {
    "decode.alpha is -0.5; it takes a number from 0 to 10": {"alpha": -0.5},
    "decode.beta is 1.5; it takes a number from 0 to 1": {"beta": 1.5},
    "decode.noise is nan; it takes a number from 0 to 100": {"noise": float("nan")},
    "decode.masked is 1; it takes a number from 0 up to, but not, 1": {"masked": 1},
    "decode.seed is -1; it takes a whole number of at least 0 and at most 4294967295": {"seed": -1},
    "decode.num_beams is 0; it takes a whole number of at least 1 and at most 256": {"num_beams": 0},
}


@pytest.mark.parametrize("message", WRONG)
def test_options_out_of_range_are_refused(message):
    with pytest.raises(RecipeError) as error:
        contrastive(Tree(11), features(2), SPECIAL, **WRONG[message])
    assert str(error.value) == message


def test_a_contrast_with_the_same_photo_is_refused():
    with pytest.raises(RecipeError, match=r"^decode.noise is 0; .*decode.masked") as error:
        contrastive(Tree(11), features(2), SPECIAL, noise=0)
    assert (error.value.key, error.value.value) == ("decode.noise", 0)
