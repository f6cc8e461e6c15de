"""Captions as a rectangle: bos w1 .. wn eos pad, and a mask that alone says what is padding."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.tokenizers.captions import Special, batch

SPECIAL, ONE_ID = Special(begin=(1,), eos=2, pad=0), Special(begin=(9,), eos=9, pad=9)
groups = st.lists(st.lists(st.lists(st.integers(3, 10), max_size=7), max_size=3), min_size=1, max_size=4)


def test_a_batch_is_padded_on_the_right():
    captions = batch([[[7, 8], [9]], [[5, 6, 4]]], SPECIAL)
    assert captions.tokens.tolist() == [
        [[1, 7, 8, 2, 0], [1, 9, 2, 0, 0]],
        [[1, 5, 6, 4, 2], [0, 0, 0, 0, 0]],
    ]
    assert captions.mask.long().tolist() == [
        [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]],
        [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]],
    ]


def test_the_mask_knows_eos_from_padding_where_the_ids_do_not():
    captions = batch([[[7], [4, 5]]], ONE_ID)
    assert captions.tokens.tolist() == [[[9, 7, 9, 9], [9, 4, 5, 9]]]
    assert captions.mask.sum(-1).tolist() == [[3, 4]]


@given(groups, st.sampled_from([SPECIAL, ONE_ID]))
@settings(deadline=None)
def test_every_caption_can_be_read_back(groups, special):
    captions = batch(groups, special)
    longest = max((len(words) for group in groups for words in group), default=0)
    assert captions.tokens.shape == captions.mask.shape == (len(groups), max(map(len, groups)), longest + 2)
    assert captions.tokens.dtype == torch.long and captions.mask.dtype == torch.bool
    for b, group in enumerate(groups):
        rows = [row[mask].tolist() for row, mask in zip(captions.tokens[b], captions.mask[b], strict=True)]
        absent = captions.tokens.shape[1] - len(group)
        assert rows == [[special.begin[0], *words, special.eos] for words in group] + [[]] * absent
    assert captions.tokens[~captions.mask].eq(special.pad).all()
    assert (captions.mask.long().diff(dim=-1) <= 0).all()  # no hole before a word


def test_captions_move_together():
    moved = batch([[[7]]], SPECIAL).to(torch.device("meta"))
    assert moved.tokens.is_meta and moved.mask.is_meta
