"""Every decoder of the table is explained, and each method equals a computation that shares nothing with it."""

from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from showtell.decoders.language_model import LanguageModel
from showtell.explain.attention import attention, look
from showtell.explain.occlusion import occlusion
from showtell.explain.relevance import gradients_of, relevance
from showtell.explain.tokens import Tokens
from showtell.features import Features
from showtell.tokenizers.words import Words
from tests.decoders.test_every_decoder import D, N, V, build, variants

WORDS = ["red dog runs over green grass here"]  # with four special tokens these are V
REAL = 4  # of the N visual tokens; the last one is padding


def tokens_of(decoder, dtype=torch.float32):
    """A caption of five words, `red dog green here dog`, of a photo with four visual tokens."""
    torch.manual_seed(7)
    mask = (torch.arange(N) < REAL)[None]
    seen = torch.randn(1, N, D, dtype=dtype)
    left = torch.rand(1, N, 2, dtype=dtype)
    boxes = torch.cat([left * 0.5, left * 0.5 + 0.3], dim=-1)
    features = Features(seen, mask, seen[:, :REAL].mean(1), boxes)
    tokenizer = Words(min_count=1).fit(WORDS)
    assert len(tokenizer) == V
    captioner = SimpleNamespace(decoder=decoder, tokenizer=tokenizer, device=torch.device("cpu"))
    ids = [1, *tokenizer.encode("red dog green here dog"), 2]
    return Tokens(captioner, (features,), "red dog green here dog", ids)


def attending():
    return [each for each in variants() if build(each.values[0]).attends]


def reading():
    return [each for each in variants() if build(each.values[0]).reads_tokens]


def log_prob_by_hand(decoder, features, ids, place):
    """The log-probability of id number `place`, word after word."""
    memory, state = decoder.start(features)
    with torch.no_grad():
        for token in ids[:place].tolist():
            output = decoder.forward(memory, state, torch.tensor([[[token]]]))
            state = output.state
    return output.logits[0, 0, -1].log_softmax(-1)[ids[place]]


@pytest.mark.parametrize("variant", attending())
def test_attention_is_that_of_a_replay_word_after_word(variant):
    decoder = build(variant)
    tokens = tokens_of(decoder)
    memory, state = decoder.start(tokens.main)
    rows = []
    for token in tokens.ids[:-1].tolist():
        output = decoder.forward(memory, state, torch.tensor([[[token]]]), attention=True)
        state = output.state
        rows.append(output.attention[0, 0, 0].detach())  # H N
    found = torch.stack(rows)[..., :REAL]
    mean = found.mean(1)
    assert_close(attention(tokens), mean / mean.sum(1, keepdim=True), atol=1e-5, rtol=1e-4)
    layers = decoder.attention_layers
    heads = found.shape[1] // layers
    last = found[:, (layers - 1) * heads + heads - 1]
    assert_close(attention(tokens, -1, -1), last / last.sum(1, keepdim=True), atol=1e-5, rtol=1e-4)
    first = found[:, :heads].mean(1)
    assert_close(attention(tokens, 0), first / first.sum(1, keepdim=True), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", attending())
def test_a_probe_is_added_to_the_weight_that_it_names(variant):
    decoder = build(variant)
    tokens = tokens_of(decoder)
    memory, state = decoder.start(tokens.main)
    ids = tokens.ids[None, None, :-1]
    plain = decoder.forward(memory, state, ids, attention=True)
    probe = torch.zeros_like(plain.attention)
    probe[0, 0, 2, -1, 1] = 0.25  # the last head, so that no other layer reads what it changes
    probed = decoder.forward(memory, state, ids, attention=True, probe=probe)
    assert_close(probed.attention[:, :, :3], (plain.attention + probe)[:, :, :3])
    assert_close(probed.logits[:, :, :2], plain.logits[:, :, :2])  # words before it do not see it
    assert (probed.logits[0, 0, 2] - plain.logits[0, 0, 2]).abs().max() > 1e-4
    none = decoder.forward(memory, state, ids, attention=True, probe=torch.zeros_like(probe))
    assert_close(none.logits, plain.logits)


@pytest.mark.parametrize("variant", attending())
def test_gradients_equal_finite_differences(variant):
    decoder = build(variant).double()
    tokens = tokens_of(decoder, torch.float64)
    with torch.no_grad():
        weights = look(tokens, tokens.members[0])[0, 0]  # S H N
    gradients, log_probs = gradients_of(tokens, tokens.members[0], weights)
    memory, state = decoder.start(tokens.main)
    generator = torch.Generator().manual_seed(1)
    # Some language models compute their norms in single precision, whatever they are given.
    small, near = (2e-3, 5e-3) if isinstance(decoder, LanguageModel) else (1e-5, 1e-5)
    for _ in range(6):
        step, head, place = (int(torch.randint(size, (), generator=generator)) for size in (*weights.shape[:2], REAL))
        probe = torch.zeros(1, 1, *weights.shape, dtype=torch.float64)
        probe[0, 0, step, head, place] = small
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                logits = decoder.forward(memory, state, tokens.ids[None, None, :-1], True, sign * probe).logits[:, 0]
            rows = logits.log_softmax(-1)[0]
            sides.append(rows[torch.arange(5), tokens.ids[1:]])
        slope = (sides[0] - sides[1]) / (2 * small)
        assert_close(gradients[:, step, head, place].double(), slope.double(), atol=near, rtol=near)
    assert_close(log_probs.float(), tokens.log_probs(torch.ones(1, REAL, dtype=torch.bool))[0].float())


@pytest.mark.parametrize("variant", attending())
def test_relevance_is_the_positive_part_of_attention_times_gradient(variant):
    decoder = build(variant)
    tokens = tokens_of(decoder)
    with torch.no_grad():
        weights = look(tokens, tokens.members[0])[0, 0]
    gradients, _ = gradients_of(tokens, tokens.members[0], weights)
    found = relevance(tokens)
    for word in range(5):
        wanted = torch.zeros(REAL)
        for head in range(weights.shape[1]):
            for place in range(REAL):
                wanted[place] += max(float(gradients[word, word, head, place] * weights[word, head, place]), 0.0)
        assert_close(found[word], wanted / wanted.sum().clamp(min=1e-12), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", reading())
def test_occlusion_equals_a_loop_over_the_visual_tokens(variant):
    decoder = build(variant)
    tokens = tokens_of(decoder)
    found = occlusion(tokens)
    features = tokens.main
    whole = [log_prob_by_hand(decoder, features, tokens.ids, place) for place in range(1, 6)]
    for part in range(REAL):
        mask = features.mask.clone()
        mask[0, part] = False
        left = [n for n in range(REAL) if n != part]
        without = features._replace(mask=mask, pooled=features.tokens[:, left].mean(1))
        falls = [whole[place - 1] - log_prob_by_hand(decoder, without, tokens.ids, place) for place in range(1, 6)]
        assert_close(found[:, part], torch.stack(falls), atol=2e-4, rtol=2e-3)


@pytest.mark.parametrize("variant", reading())
def test_what_a_decoder_says_of_a_masked_photo_does_not_depend_on_the_batch(variant):
    tokens = tokens_of(build(variant))
    kept = torch.tensor([[1, 0, 1, 1], [1, 1, 1, 1], [0, 1, 0, 1]], dtype=torch.bool)
    together = tokens.log_probs(kept)
    apart = torch.cat([tokens.log_probs(each[None]) for each in kept])
    assert_close(together, apart, atol=1e-5, rtol=1e-4)
