"""Greedy search against the plainest loop that can be written."""

import torch

from showtell.decode import greedy

from .tree import SPECIAL, Tree, captions, features


def slow_greedy(decoder, image, max_length):
    tokens = [SPECIAL.begin[0]]
    while len(tokens) < max_length and SPECIAL.eos not in tokens:
        memory, state = decoder.start(image)
        logits = decoder(memory, state, torch.tensor([[tokens]])).logits[0, 0, -1]
        logits[list(SPECIAL.suppress)] = -torch.inf
        tokens.append(int(logits.argmax()))
    return tuple(tokens)


def test_greedy_says_the_likeliest_word_each_time():
    batch, decoder = features(13), Tree(11, seed=1)
    found = [image[0].tokens for image in captions(greedy(decoder, batch, SPECIAL, max_length=8))]
    assert found == [slow_greedy(decoder, batch.select(torch.tensor([b])), 8) for b in range(13)]
    assert len({len(tokens) for tokens in found}) > 2


def test_ties_go_to_the_first_word():
    batch = features(2)
    batch.pooled[:] = 0
    decoded = greedy(Tree(11, spread=0.0), batch, SPECIAL, min_length=3)
    assert decoded.tokens[:, 0, 1:3].tolist() == [[4, 4]] * 2
