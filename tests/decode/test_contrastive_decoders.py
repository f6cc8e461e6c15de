"""Contrastive decoding with every decoder of the table, and with the mean of several: as if all were read anew."""

from inspect import signature

import pytest
import torch
from torch.testing import assert_close

from showtell.captioners.mean import MeanDecoder
from showtell.captioners.views import decoder_of_views
from showtell.decode import beam, contrastive
from showtell.decode.distort import distort
from showtell.decoders import DECODERS
from showtell.tokenizers.captions import Special
from tests.decoders.families import save
from tests.decoders.test_every_decoder import build, make_features, variants

SPECIAL = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1))
LENGTH = 6
WAYS = [{"noise": 1.0, "masked": 0.0}, {"noise": 0.0, "masked": 0.5}]
every_way = pytest.mark.parametrize("way", WAYS, ids=["noise", "masked"])


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    """A small language model, for decoders that are built on one."""
    return save("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture(params=[*variants()])
def decoder(request, language):
    kind = request.param[0]
    return build(request.param, **({"model": language} if "model" in signature(kind).parameters else {}))


@torch.no_grad()
def read_anew(decoder, seen, habit):
    """Greedy captions by the contrast: no state, no search, every word from all words before it."""
    tokens = torch.ones(2, 1, dtype=torch.long)
    for _ in range(LENGTH - 1):
        clean, distorted = (decoder(*decoder.start(sight), tokens[:, None]).logits[:, 0, -1] for sight in (seen, habit))
        clean, distorted = clean.log_softmax(-1), distorted.log_softmax(-1)
        allowed = clean.index_fill(-1, torch.tensor(SPECIAL.suppress), -torch.inf)
        likely = allowed >= allowed.amax(-1, keepdim=True) + torch.tensor(0.1).log()
        best = (2 * clean - distorted).masked_fill(~likely, -torch.inf).argmax(-1)
        best[(tokens == SPECIAL.eos).any(-1)] = SPECIAL.pad
        tokens = torch.cat([tokens, best[:, None]], dim=1)
    return tokens


def check_greedy(decoder, seen, way):
    found = contrastive(decoder, seen, SPECIAL, alpha=1.0, seed=1, num_beams=1, max_length=LENGTH, **way)
    wanted = read_anew(decoder, seen, distort(seen, seed=1, **way))
    assert torch.equal(found.tokens[:, 0], wanted[:, : found.tokens.shape[-1]])
    assert (wanted[:, found.tokens.shape[-1] :] == SPECIAL.pad).all()


@every_way
def test_the_contrast_of_every_decoder_is_that_of_words_read_anew(decoder, way):
    check_greedy(decoder, make_features(), way)


@every_way
def test_no_contrast_is_beam_search_with_every_decoder(decoder, way):
    options = {"num_beams": 3, "num_return_sequences": 3, "max_length": LENGTH, "length_penalty": 0.7}
    seen = make_features()
    plain = beam(decoder, seen, SPECIAL, **options)
    found = contrastive(decoder, seen, SPECIAL, alpha=0.0, beta=0.0, **way, **options)
    assert torch.equal(plain.tokens, found.tokens)
    assert_close(plain.log_probs, found.log_probs, atol=1e-4, rtol=0)


@pytest.mark.slow
@every_way
def test_members_of_an_ensemble_and_views_are_contrasted_by_their_mean(way):
    first, second = (build((DECODERS[name], {}), seed) for seed, name in enumerate(("recurrent", "transformer")))
    pair = (make_features(0), make_features(1))
    check_greedy(MeanDecoder([first, second], [0, 1]).eval(), pair, way)  # an ensemble with two encoders
    check_greedy(MeanDecoder([first, second], [0, 0]).eval(), pair[:1], way)  # with one
    check_greedy(decoder_of_views(first, pair), pair, way)
    check_greedy(decoder_of_views(MeanDecoder([first, second], [0, 1]), pair * 2), pair * 2, way)
