"""The reward is CIDEr-D against the references of the image, with an end that counts."""

import torch

from showtell.data import Record
from showtell.decode import Decoded
from showtell.metrics.cider import CiderD
from showtell.reward import Reward
from showtell.tokenizers.words import Words

TEXTS = [["a black dog runs", "the dog runs"], ["two red cars"], ["a cat"]]
RECORDS = [Record(str(i), None, tuple(texts), "train") for i, texts in enumerate(TEXTS)]
WORDS = Words(min_count=1).fit([text for texts in TEXTS for text in texts])


def drawn(*groups):
    """Captions of each image, `.` marking those that ended."""
    rows = [[1, *WORDS.encode(text.rstrip(".")), *([2] if text.endswith(".") else [])] for g in groups for text in g]
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros_like(tokens, dtype=torch.bool)
    for i, row in enumerate(rows):
        tokens[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), True
    shape = (len(groups), len(groups[0]))
    return Decoded(tokens.unflatten(0, shape), mask.unflatten(0, shape), torch.zeros(shape))


def test_the_reward_is_cider_d_of_the_images_own_references():
    found = Reward(RECORDS, WORDS)(drawn(["two red cars.", "a cat."], ["the dog runs.", "two red."]), [1, 0])
    plain = CiderD([[text + " <eos>" for text in texts] for texts in TEXTS])
    texts = ["two red cars <eos>", "a cat <eos>", "the dog runs <eos>", "two red <eos>"]
    assert found.flatten().tolist() == plain.scores(texts, [1, 1, 0, 0]).tolist()
    assert found[0, 0] == found.max() and found[0, 1] < found[0, 0]


def test_a_caption_that_does_not_end_earns_less():
    found = Reward(RECORDS, WORDS)(drawn(["two red cars.", "two red cars"]), [1])
    assert found[0, 0] > found[0, 1] > 0
