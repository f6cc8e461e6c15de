"""Decoding behind a prompt: what follows is what a decoder says that has read the prompt already."""

from inspect import signature

import pytest
import torch

from showtell.decode import STRATEGIES, beam, greedy, sample
from showtell.decoders.decoder import Output
from showtell.plumbing.errors import RecipeError
from showtell.tokenizers.captions import Special

from .test_every_strategy import OPTIONS, every_strategy
from .tree import SPECIAL, Numbers, Tree, captions, features, replay

PROMPT = SPECIAL._replace(begin=(1, 7, 8))
ONE_ID = Special(begin=(2, 7, 8), eos=2, pad=2)


class Started(Tree):
    """A Tree that reads the whole prompt when it is given bos."""

    def start(self, features):
        memory, state = super().start(features)
        return memory, state | {"fresh": torch.ones(len(features.pooled), 1, dtype=torch.bool)}

    def forward(self, memory, state, tokens, attention=False):
        count = tokens.shape[-1]
        if state["fresh"].all():
            begin = torch.tensor(PROMPT.begin).expand(*tokens.shape[:2], -1)
            tokens = torch.cat([begin, tokens[..., 1:]], dim=-1)
        output = super().forward(memory, state, tokens)
        return Output(output.logits[:, :, -count:], output.state | {"fresh": torch.zeros_like(state["fresh"])})


LIMITS = {
    "free": {},
    "lengths": {"min_length": 5},
    "n-grams": {"no_repeat_ngram_size": 1},
    "pairs": {"no_repeat_ngram_size": 2},
    "must not, the prompt's last word in front": {"must_not": ["8 5", "8 4", "6"]},
    "must not begin with": {"must_not": ["1 5", "1 4"]},
}
MUST = {
    "must, what the prompt has": {"must": ["7"]},
    "must, a phrase that begins in the prompt": {"must": ["8 9"]},
    "must at the beginning": {"must": ["9 / 1 4"]},
}


@every_strategy
@pytest.mark.parametrize("limits", [*LIMITS, *MUST])
@pytest.mark.parametrize("favour", [-3.0, 3.0])
def test_what_follows_a_prompt_does_not_look_at_it(name, limits, favour):
    if limits in MUST and "must" not in signature(STRATEGIES[name]).parameters:
        pytest.skip("it has no `must`")
    batch = features(7)
    batch.pooled[:, SPECIAL.eos] += favour
    options = {"spelling": Numbers(), **OPTIONS[name], **(LIMITS | MUST)[limits]}
    if name == "sample":
        options["top_k"] = 1  # dice are thrown for each place from bos on
    longer = options | {"max_length": 10, "min_length": options.get("min_length", 0) + 2}
    shorter = options | {"max_length": 8}
    found = captions(STRATEGIES[name](Tree(11, seed=3), batch, PROMPT, **longer))
    wanted = captions(STRATEGIES[name](Started(11, seed=3), batch, SPECIAL, **shorter))
    for mine, theirs in zip(found, wanted, strict=True):
        assert [caption.tokens for caption in mine] == [
            (*PROMPT.begin, *caption.tokens[1:]) if caption.tokens else () for caption in theirs
        ]
        assert [c.log_prob for c in mine] == pytest.approx([c.log_prob for c in theirs], abs=1e-5)


@every_strategy
@pytest.mark.parametrize("special", [PROMPT, ONE_ID], ids=["three ids", "one id"])
def test_a_caption_is_the_prompt_words_eos_and_padding(name, special):
    decoder, batch = Tree(11, seed=3), features(7)
    batch.pooled[:, special.eos] += 2
    decoded = STRATEGIES[name](decoder, batch, special, **OPTIONS[name], max_length=9, min_length=5)
    for caption in (caption for image in captions(decoded) for caption in image if caption.tokens):
        assert caption.tokens[:3] == special.begin and special.eos not in caption.tokens[3:-1]
        assert 5 < len(caption.tokens) <= 9 and (caption.tokens[-1] == special.eos or len(caption.tokens) == 9)
    whole = replay(decoder, batch, decoded)
    prompt = decoded._replace(tokens=decoded.tokens[..., :3], mask=decoded.mask[..., :3])
    torch.testing.assert_close(decoded.log_probs, whole - replay(decoder, batch, prompt), atol=1e-4, rtol=0)


def every_caption(decoder, image, special, max_length):
    """All captions behind the prompt with their log probabilities, one after the other."""
    growing, found = {special.begin: 0.0}, {}
    memory, state = decoder.start(image)
    for length in range(len(special.begin) + 1, max_length + 1):
        grown = {}
        for tokens, total in growing.items():
            log_probs = decoder(memory, state, torch.tensor([[tokens]])).logits[0, 0, -1].log_softmax(-1)
            for word in range(len(log_probs)):
                if word not in special.suppress:
                    grown[(*tokens, word)] = total + float(log_probs[word])
        ended = {tokens for tokens in grown if tokens[-1] == special.eos or length == max_length}
        found |= {tokens: grown[tokens] for tokens in ended}
        growing = {tokens: total for tokens, total in grown.items() if tokens not in ended}
    return found


@pytest.mark.parametrize("penalty", [-0.5, 0.0, 0.7])
def test_enough_beams_find_the_likeliest_of_all_captions_behind_a_prompt(penalty):
    special, batch, decoder = Special((1, 4, 3), 2, 0, (0, 1)), features(3, seed=1), Tree(6, seed=4)
    search = {"num_beams": 4**4, "max_length": 7, "length_penalty": penalty, "num_return_sequences": 50}
    for b, found in enumerate(captions(beam(decoder, batch, special, **search))):
        everything = every_caption(decoder, batch.select(torch.tensor([b])), special, 7)
        assert len(everything) == 1 + 3 + 9 + 27 * 4
        best = sorted(everything, key=lambda tokens: -everything[tokens] / (len(tokens) - 3) ** penalty)[:50]
        assert [caption.tokens for caption in found] == best
        assert [caption.log_prob for caption in found] == pytest.approx([everything[t] for t in best], abs=1e-5)


@pytest.mark.slow
def test_samples_behind_a_prompt_are_as_likely_as_they_should_be():
    special, decoder, batch = Special((1, 4, 3), 2, 0, (0, 1)), Tree(6, seed=4, spread=2.0), features(1, seed=1)
    drawn = captions(sample(decoder, batch, special, num_return_sequences=20_000, max_length=5, seed=0))[0]
    for tokens, log_prob in every_caption(decoder, batch, special, 5).items():
        share = sum(caption.tokens == tokens for caption in drawn) / len(drawn)
        rest = sum(float(torch.tensor(p).exp()) for p in every_caption(decoder, batch, special, 5).values())
        assert rest <= 1.0001 and share >= float(torch.tensor(log_prob).exp()) - 0.02


@every_strategy
def test_a_max_length_that_the_prompt_fills_is_refused(name):
    options = {key: value for key, value in OPTIONS[name].items() if key != "min_length"}
    with pytest.raises(RecipeError, match=r"^decode.max_length is 3, .* at least 4$"):
        STRATEGIES[name](Tree(11), features(2), PROMPT, **options, max_length=3)
    found = STRATEGIES[name](Tree(11), features(2), PROMPT, **options, max_length=4)
    assert {len(caption.tokens) for image in captions(found) for caption in image if caption.tokens} == {4}


def test_greedy_says_the_likeliest_word_after_the_prompts_last():
    decoder, batch = Tree(11, seed=3), features(3)
    memory, state = decoder.start(batch)
    log_probs = decoder(memory, state, torch.tensor([[PROMPT.begin]] * 3)).logits[:, 0, -1].clone()
    log_probs[:, list(PROMPT.suppress)] = -torch.inf
    assert greedy(decoder, batch, PROMPT).tokens[:, 0, 3].tolist() == log_probs.argmax(-1).tolist()
