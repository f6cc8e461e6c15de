"""bos, eos and pad may be one id: the decoder still learns to stop, because a mask says what is padding."""

import pytest
import torch

from showtell.decode.greedy import greedy
from showtell.decoders.gpt2 import GPT2
from showtell.losses.cross_entropy import cross_entropy
from showtell.tokenizers.captions import Special, batch, words_of
from tests.decoders.test_every_decoder import D, make_features

END = 10
CAPTIONS = [[[3, 4, 5, 6, 7]], [[8, 2]]]


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [(), (1, 9)])
def test_it_learns_where_captions_end(prompt):
    torch.manual_seed(0)
    special = Special(begin=(END, *prompt), eos=END, pad=END)
    decoder = GPT2(D, 11, weights="random", dim=16, heads=2, layers=1, max_length=16)
    captions, features = batch(CAPTIONS, special), make_features()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss, count = cross_entropy(decoder, features, captions)
        (loss / count).backward()
        optimizer.step()
    assert count == 5 + 1 + 2 + 1  # the end is learnt, and padding is not
    found = greedy(decoder.eval(), features, special, None, max_length=14)
    rows = [row[real].tolist() for row, real in zip(found.tokens[:, 0], found.mask[:, 0], strict=True)]
    assert [words_of(row, special) for row in rows] == [captions[0] for captions in CAPTIONS]
