"""Which captions stand together: each once an epoch, images together, the same again for the same seed and epoch."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showtell.tokenizers.captions import Special
from showtell.training.batches import alike, collate, epoch_groups, epoch_steps, steps

CAPTIONS = [5, 0, 1, 7, 2, 5, 5, 3]
counts = st.lists(st.integers(0, 7), max_size=12)


def said(groups):
    return Counter((image, caption) for image, chosen in groups for caption in chosen)


@given(counts, st.integers(1, 6), st.integers(0, 2**32 - 1), st.integers(0, 1000))
@settings(deadline=None)
def test_every_caption_stands_in_an_epoch_once(captions, per_image, seed, epoch):
    groups = epoch_groups(captions, per_image, seed, epoch)
    assert said(groups) == Counter((i, k) for i, count in enumerate(captions) for k in range(count))
    sizes = Counter((image, len(chosen)) for image, chosen in groups)
    for image, count in enumerate(captions):  # as many together as may be
        full, rest = divmod(count, per_image)
        assert sizes[image, per_image] == full + (rest == per_image)
        assert rest == 0 or sizes[image, rest] >= 1


def test_an_epoch_is_a_function_of_seed_and_epoch():
    first = epoch_groups(CAPTIONS, 2, seed=3, epoch=4)
    assert epoch_groups(CAPTIONS, 2, seed=3, epoch=4) == first
    assert epoch_groups(CAPTIONS, 2, seed=3, epoch=5) != first
    assert epoch_groups(CAPTIONS, 2, seed=4, epoch=4) != first


def test_images_and_their_captions_are_shuffled():
    groups = epoch_groups([7] * 40, 7, seed=0, epoch=0)
    assert [image for image, _ in groups] != sorted(image for image, _ in groups)
    assert len({tuple(chosen) for _, chosen in groups}) > 20


@given(counts, st.integers(1, 6), st.integers(1, 9), st.integers(1, 3))
@settings(deadline=None)
def test_steps_hold_every_caption_in_batches_of_their_size(captions, per_image, batch_size, accumulate):
    groups = epoch_groups(captions, per_image, seed=0, epoch=0)
    plan = steps(groups, batch_size, accumulate)
    batches = [batch for step in plan for batch in step]
    assert said(group for batch in batches for group in batch) == said(groups)
    sizes = [sum(len(chosen) for _, chosen in batch) for batch in batches]
    assert all(0 < size <= batch_size for size in sizes)
    assert all(len(step) == accumulate for step in plan[:-1]) and all(0 < len(step) <= accumulate for step in plan)


def test_a_batch_is_closed_when_the_next_group_has_no_room():
    groups = [(0, [0, 1]), (1, [0, 1]), (2, [0, 1]), (3, [0])]
    assert steps(groups, batch_size=5, accumulate=2) == [[groups[:2], groups[2:]]]
    assert steps(groups, batch_size=4) == [[groups[:2]], [groups[2:]]]


def test_a_group_larger_than_a_batch_is_cut():
    assert steps([(4, [2, 0, 1, 3, 4])], batch_size=2) == [[[(4, [2, 0])]], [[(4, [1, 3])]], [[(4, [4])]]]


def test_a_batch_has_the_images_and_the_ids_of_the_chosen_captions():
    words = [[[7]], [[8], [9, 10], [6]]]
    images, captions = collate([(1, [2, 1]), (0, [0])], words, Special(begin=(1,), eos=2, pad=0))
    assert images.tolist() == [1, 0]
    assert captions.tokens.tolist() == [[[1, 6, 2, 0], [1, 9, 10, 2]], [[1, 7, 2, 0], [0, 0, 0, 0]]]
    assert captions.mask.sum((1, 2)).tolist() == [7, 3]


@pytest.mark.parametrize("captions", [[], [0, 0]])
def test_without_captions_there_are_no_steps(captions):
    assert steps(epoch_groups(captions, 5, seed=0, epoch=0), 64) == []


WORDS = [[[9] * ((3 * image + 5 * k) % 17 + 1) for k in range(3)] for image in range(300)]


def padded(plan):
    """The cells that batches as wide as their longest captions take."""
    batches = [[len(WORDS[i][k]) for i, chosen in batch for k in chosen] for step in plan for batch in step]
    return sum(max(lengths) * len(lengths) for lengths in batches)


def test_captions_of_like_length_stand_in_one_batch():
    groups = epoch_groups([3] * 300, 1, seed=0, epoch=0)
    plan = epoch_steps(WORDS, 1, batch_size=10, accumulate=1, seed=0, epoch=0)
    real = sum(len(caption) for captions in WORDS for caption in captions)
    assert said(group for step in plan for batch in step for group in batch) == said(groups)
    assert padded(plan) < 1.1 * real < padded(steps(groups, 10))


def test_batches_may_be_mixed_all_the_same():
    groups = epoch_groups([3] * 300, 1, seed=0, epoch=0)
    plan = epoch_steps(WORDS, 1, batch_size=10, accumulate=1, seed=0, epoch=0, like_lengths=False)
    assert sorted(map(str, plan)) == sorted(map(str, steps(groups, 10)))


def test_steps_are_a_function_of_seed_and_epoch_in_random_order():
    first = epoch_steps(WORDS, 2, 10, 2, seed=3, epoch=4)
    assert epoch_steps(WORDS, 2, 10, 2, seed=3, epoch=4) == first != epoch_steps(WORDS, 2, 10, 2, seed=3, epoch=5)
    longest = [max(len(WORDS[i][k]) for i, chosen in step[0] for k in chosen) for step in first]
    assert longest != sorted(longest)


def test_likeness_is_sought_within_a_stretch_alone():
    words = [[[1] * length] for length in (4, 2, 3, 1)]
    assert alike([(i, [0]) for i in range(4)], words, captions=2) == [(1, [0]), (0, [0]), (3, [0]), (2, [0])]
