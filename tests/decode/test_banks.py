"""Words that must be said, against all captions there are that say them."""

import pytest
import torch

from showtell.decode import beam
from showtell.plumbing.errors import RecipeError
from showtell.tokenizers.captions import Special

from .test_beam import all_captions
from .tree import SPECIAL, Numbers, Tree, captions, features

FEW = Special(begin=(5,), eos=1, pad=0, suppress=(0, 5))  # with V = 6 there are three words: 2, 3, 4
LENGTH = 5
MUST = {  # phrases -> ids that join the word before them
    "a word": (["3"], ()),
    "two words": (["4", "2"], ()),
    "a phrase": (["2 3"], ()),
    "a phrase of one word twice": (["3 3"], ()),
    "a phrase and a word": (["2 3", "4"], ()),
    "phrases that share a word": (["2 3", "3 4"], ()),
    "a phrase and its first word": (["2 3", "2"], ()),
    "phrases that begin alike": (["2 3", "2 4"], ()),
    "two ways": (["2 / 4 4", "3"], ()),
    "a way at the beginning": (["2 3 / 5 4"], ()),
    "a word that a piece may go on with": (["3"], (2,)),
    "phrases that a piece may go on with": (["3 4", "4"], (2,)),
    "a phrase that ends with a piece": (["3 2", "4"], (2,)),
    "all that fits": (["2 3 4", "4"], ()),
}


def unsaid(tokens, must, joining):
    """How many ids of the phrases a whole caption leaves unsaid."""
    tokens = tokens[:-1] if tokens[-1] == FEW.eos else tokens
    left = 0
    for phrase in must:
        ways = [tuple(map(int, way.split())) for way in phrase.split("/")]
        found = [
            tokens[at : at + len(way)] == way
            and tokens[at + len(way) : at + len(way) + 1] not in [(j,) for j in joining]
            for way in ways
            for at in range(len(tokens))
        ]
        left += 0 if any(found) else min(len(way) for way in ways if way[0] != FEW.begin[0])
    return left


@pytest.mark.parametrize("penalty", [0.0, 0.7, -0.5])
@pytest.mark.parametrize("case", MUST)
def test_enough_beams_find_the_likeliest_of_all_captions_that_say_it(case, penalty):
    must, joining = MUST[case]
    batch, decoder = features(3, seed=1), Tree(6, seed=4)
    decoded = beam(
        decoder,
        batch,
        FEW,
        Numbers(joining),
        must=must,
        num_beams=200,
        max_length=LENGTH,
        length_penalty=penalty,
        num_return_sequences=20,
    )
    for b, found in enumerate(captions(decoded)):
        everything = all_captions(decoder, batch.select(torch.tensor([b])), FEW, LENGTH)
        ranks = {
            tokens: (unsaid(tokens, must, joining), -total / (len(tokens) - 1) ** penalty)
            for tokens, total in everything.items()
        }
        best = sorted(everything, key=ranks.__getitem__)[:20]
        assert ranks[best[0]][0] == 0
        assert [caption.tokens for caption in found] == best
        assert [caption.log_prob for caption in found] == pytest.approx([everything[t] for t in best], abs=1e-5)


@pytest.mark.parametrize("num_beams", [1, 2, 5])
@pytest.mark.parametrize("must", [["9"], ["9", "4"], ["7 8", "4 4"], ["4", "5", "6", "7"]])
def test_a_few_beams_say_all_that_must_be_said_and_no_more_than_they_have_to(num_beams, must):
    batch, decoder = features(7), Tree(11, seed=3)
    batch.pooled[:, [4, 7, 9]] -= 5  # unlikely words
    decoded = beam(decoder, batch, SPECIAL, Numbers(), must=must, num_beams=num_beams, max_length=9)
    for image in captions(decoded):
        text = " ".join(map(str, image[0].tokens))
        assert all(phrase in text for phrase in must), text
    free = beam(decoder, batch, SPECIAL, num_beams=num_beams, max_length=9)
    assert (decoded.log_probs <= free.log_probs + 1e-4).all() or num_beams < 5


@pytest.mark.parametrize("must", [["9"], ["7 8", "4"]])
def test_an_image_does_not_depend_on_the_others(must):
    batch = features(9)
    batch.pooled[:, SPECIAL.eos] += 1
    options = {"must": must, "num_beams": 3, "length_penalty": 0.7, "num_return_sequences": 3, "max_length": 9}
    search = lambda some: captions(beam(Tree(11, seed=3), some, SPECIAL, Numbers(), **options))  # noqa: E731
    together = search(batch)
    assert together == [search(batch.select(torch.tensor([b])))[0] for b in range(9)]
    assert len({len(image[0].tokens) for image in together}) > 1


def test_what_would_be_said_anyway_makes_no_caption_less_likely():
    batch, decoder = features(7), Tree(11, seed=3)
    batch.pooled[:, SPECIAL.eos] -= 20  # eight words each
    for b, (best,) in enumerate(captions(beam(decoder, batch, SPECIAL, num_beams=4, max_length=9))):
        alone, word = batch.select(torch.tensor([b])), best.tokens[2]
        forced = beam(decoder, alone, SPECIAL, Numbers(), num_beams=4, max_length=9, must=[str(word)])
        assert forced.log_probs[0, 0] >= best.log_prob - 1e-5 and word in forced.tokens[0, 0]


def test_where_not_all_fits_as_many_ids_are_said_as_can_be():
    batch, decoder = features(3), Tree(11, seed=3)
    decoded = beam(decoder, batch, SPECIAL, Numbers(), must=["4", "5 6 7", "8"], num_beams=4, max_length=5)
    for image in captions(decoded):
        words = image[0].tokens[1:]
        assert (5, 6, 7) in [words[0:3], words[1:4]] and {4, 8} & set(words)


def test_limits_hold_for_words_that_must_be_said():
    batch, decoder = features(7), Tree(11, seed=3)
    batch.pooled[:, SPECIAL.eos] += 4
    options = {"must": ["9", "7"], "must_not": ["4", "5"], "min_length": 6, "no_repeat_ngram_size": 1}
    for image in captions(beam(decoder, batch, SPECIAL, Numbers(), max_length=9, **options)):
        words = image[0].tokens[1:-1]
        assert {9, 7} <= set(words) <= {6, 7, 8, 9, 10} and len(words) == len(set(words)) >= 5


WRONG = {
    "decode.must has '5 zebra'.*'zebra' is not in this model's vocabulary.*remove": {"must": ["5 zebra"]},
    "decode.must has '5 6'.*decode.must_not.*'6'.*remove": {"must": ["5 6"], "must_not": ["7", "6"]},
    r"decode.must is \[' '\].*none of them empty": {"must": [" "]},
    "decode.must is a list of 9.*at most 8": {"must": list("456789456")},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_asked_for_is_refused(message):
    with pytest.raises(RecipeError, match=f"^{message}"):
        beam(Tree(11), features(2), SPECIAL, Numbers(), **WRONG[message])
