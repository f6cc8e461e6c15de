"""Diverse beam search against beam search, and against a slow search of plain Python loops."""

from collections import Counter

import pytest
import torch
from PIL import Image

from showtell.cache import encode
from showtell.data.scenes.scenes import scenes
from showtell.decode import beam, diverse_beam
from showtell.loading import load
from showtell.plumbing.errors import RecipeError
from tests.small import RECIPE

from .test_beam import log_probs_after
from .tree import SPECIAL, Tree, captions, features

LENGTHS = {"max_length": 8, "no_repeat_ngram_size": 0}


def slow_diverse(decoder, image, groups, num_beams, strength, max_length, penalty):
    """Each group as `slow_beam` has it, less `strength` for a word that beams of earlier groups go on with now."""
    live, kept = [[((SPECIAL.begin[0],), 0.0, 0.0)] for _ in range(groups)], [[] for _ in range(groups)]
    done = [False] * groups
    for length in range(1, max_length):
        last, said = length == max_length - 1, Counter()
        for group in range(groups):
            if done[group]:
                continue
            candidates = [
                ((*tokens, word), total + log_prob, rank + log_prob - strength * said[word])
                for tokens, total, rank in live[group]
                for word, log_prob in log_probs_after(decoder, image, tokens, SPECIAL).items()
            ]
            candidates = sorted(candidates, key=lambda candidate: -candidate[2])[: 2 * num_beams]
            for tokens, total, rank in candidates[:num_beams]:
                if tokens[-1] == SPECIAL.eos or last:
                    kept[group].append((tokens, total, rank / length**penalty))
            kept[group] = sorted(kept[group], key=lambda caption: -caption[2])[:num_beams]
            live[group] = [candidate for candidate in candidates if candidate[0][-1] != SPECIAL.eos][:num_beams]
            said.update(tokens[-1] for tokens, _, _ in live[group])
            longest = max_length - 1 if penalty > 0 else length + 1
            best = live[group][0][2] / longest**penalty if live[group] else -float("inf")
            done[group] = len(kept[group]) == num_beams and best <= kept[group][-1][2]
    return sorted((caption for group in kept for caption in group), key=lambda caption: -caption[2])


@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("strength", [0.3, 2.0])
@pytest.mark.parametrize(("groups", "num_beams"), [(2, 2), (3, 2), (4, 1), (2, 3)])
def test_diverse_beam_search_equals_a_slow_one(groups, num_beams, strength, penalty):
    for seed, spread in enumerate([3.0, 8.0, 3.0]):
        batch, decoder = features(3, seed=seed), Tree(11, seed=seed, spread=spread)
        batch.pooled[:, SPECIAL.eos] += 0.5 * spread
        total = groups * num_beams
        options = {"num_beams": total, "num_beam_groups": groups, "diversity_penalty": strength}
        decoded = diverse_beam(
            decoder, batch, SPECIAL, length_penalty=penalty, num_return_sequences=total, **options, **LENGTHS
        )
        for b, found in enumerate(captions(decoded)):
            image = batch.select(torch.tensor([b]))
            slow = slow_diverse(decoder, image, groups, num_beams, strength, 8, penalty)
            assert [caption.tokens for caption in found] == [tokens for tokens, _, _ in slow]
            assert [caption.log_prob for caption in found] == pytest.approx([sums for _, sums, _ in slow], abs=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 0.7])
@pytest.mark.parametrize("num_beams", [1, 4])
def test_one_group_is_beam_search(num_beams, penalty):
    batch, decoder = features(9), Tree(11, seed=6)
    options = {"num_beams": num_beams, "num_return_sequences": num_beams, "length_penalty": penalty, **LENGTHS}
    alone = diverse_beam(decoder, batch, SPECIAL, num_beam_groups=1, diversity_penalty=3.0, **options)
    assert captions(alone) == captions(beam(decoder, batch, SPECIAL, **options))


def test_without_a_penalty_each_group_is_a_beam_search_of_its_size():
    batch, decoder = features(9), Tree(11, seed=6)
    six = diverse_beam(decoder, batch, SPECIAL, diversity_penalty=0.0, num_return_sequences=6, **LENGTHS)
    two = beam(decoder, batch, SPECIAL, num_beams=2, num_return_sequences=2, **LENGTHS)
    for found, best in zip(captions(six), captions(two), strict=True):
        assert found == [caption for caption in best for _ in range(3)]


@pytest.fixture(scope="module")
def seen():
    """The packaged model, and what it sees of eight drawn scenes."""
    captioner = load("tiny")
    settings = {name: value for name, value in RECIPE["data"].items() if name != "name"}
    pictures = [Image.open(record.path).convert("RGB") for record in scenes(**settings)[:8]]
    return captioner, encode(captioner.encoder, pictures)


def different_words(captioner, decoded):
    """The mean share of words in an image's captions that no other caption of it has."""
    shares = []
    for image in captions(decoded):
        sets = [set(captioner.tokenizer.decode(list(caption.tokens)).split()) for caption in image]
        every = Counter(word for words in sets for word in words)
        shares += [sum(every[word] == 1 for word in words) / len(words) for words in sets]
    return sum(shares) / len(shares)


@pytest.mark.slow
def test_a_penalty_makes_captions_of_the_packaged_model_more_different(seen):
    captioner, found = seen
    special = captioner.tokenizer.special
    options = {"num_return_sequences": 4, "max_length": 20}
    usual = beam(captioner.decoder, found, special, num_beams=4, **options)
    shares = [
        different_words(
            captioner,
            diverse_beam(
                captioner.decoder, found, special, num_beams=4, num_beam_groups=4, diversity_penalty=d, **options
            ),
        )
        for d in (0.5, 3.0)
    ]
    assert different_words(captioner, usual) < shares[0] < shares[1]


WRONG = {
    "decode.num_beam_groups is 4; it takes a whole number that divides num_beams, which is 6": {"num_beam_groups": 4},
    "decode.num_beam_groups is 0; it takes a whole number of at least 1": {"num_beam_groups": 0},
    "decode.diversity_penalty is -0.5; it takes a number from 0 to 100": {"diversity_penalty": -0.5},
    "decode.num_return_sequences is 7; it takes at most 6 if num_beams is 6: ": {"num_return_sequences": 7},
}


@pytest.mark.parametrize("message", WRONG)
def test_options_out_of_range_are_refused(message):
    with pytest.raises(RecipeError) as error:
        diverse_beam(Tree(11), features(2), SPECIAL, **WRONG[message])
    assert str(error.value).startswith(message)
