"""Deletion masks what a map points at, and random places of the same number beside it."""

import pytest
import torch
from torch.testing import assert_close

from showtell.explain.deletion import DRAWS, chance, deletion, size, strongest
from showtell.explain.words import Word


class Planted:
    """Ten parts. Word 0 needs part 3, word 1 needs parts 0 and 7: each is worth 1 of its log-probability."""

    text, words = "dog grass", [Word("dog", (0,)), Word("grass", (1,))]
    boxes = torch.rand(10, 4)
    worth = torch.zeros(2, 10)
    worth[0, 3] = 1.0
    worth[1, [0, 7]] = 1.0

    def log_probs(self, kept):
        return -1 - (~kept).float() @ self.worth.T


def whole(parts):
    return parts.log_probs(torch.ones(1, 10, dtype=torch.bool))[0]


def test_a_right_map_costs_the_word_all_and_a_wrong_one_nothing():
    parts = Planted()
    right = deletion(parts, parts.worth, whole(parts), 0.2)
    assert_close(right.falls, torch.tensor([1.0, 2.0]))
    wrong = deletion(parts, 1 - parts.worth, whole(parts), 0.2)
    assert_close(wrong.falls, torch.tensor([0.0, 0.0]))
    assert right.share == 0.2


def test_chance_is_the_mean_over_random_masks():
    parts = Planted()
    masks = chance(10, 0.2)
    assert masks.shape == (DRAWS, 10) and (masks.sum(1) == 2).all()
    assert_close(deletion(parts, parts.worth, whole(parts), 0.2).chance, (masks.float() @ parts.worth.T).mean(0))
    assert torch.equal(masks, chance(10, 0.2))  # the same every time
    assert not torch.equal(masks, chance(10, 0.2, seed=1))


@pytest.mark.parametrize(("parts", "share", "wanted"), [(49, 0.2, 10), (10, 0.5, 5), (3, 0.1, 1), (2, 0.9, 1)])
def test_a_share_is_at_least_one_part_and_never_all(parts, share, wanted):
    assert size(parts, share) == wanted
    assert (strongest(torch.rand(4, parts), share).sum(1) == wanted).all()


def test_negative_places_come_last():
    assert strongest(torch.tensor([[-0.5, 0.0, 0.2, -0.1]]), 0.5).tolist() == [[False, True, True, False]]


def test_no_words_have_no_scores():
    parts = Planted()
    parts.words = []
    parts.worth = torch.zeros(0, 10)
    found = deletion(parts, torch.zeros(0, 10), whole(parts), 0.2)
    assert found.falls.shape == found.chance.shape == (0,)
