"""Divide the captions of an epoch into steps and batches.

The result depends only on the captions, the settings, the seed and the epoch, so a run can resume at any step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.tokenizers.captions import Captions, Special, batch

Group = tuple[int, list[int]]  # an image and some of its captions, by index
WINDOW = 32  # batches: captions are sorted by length only within stretches of this size, so that batches stay random


def epoch_steps(
    words: Sequence[Sequence[list[int]]],
    per_image: int,
    batch_size: int,
    accumulate: int,
    seed: int,
    epoch: int,
    like_lengths: bool = True,
) -> list[list[list[Group]]]:
    """All steps of an epoch, as lists of batches in random order. `words[image][caption]` are the ids of a caption.

    Every caption comes once. All captions of a batch are padded to the longest: lengths 5, 6 and 20 cost 3 x 20 words.
    So `like_lengths` puts captions of similar length into one batch. Similar photos have captions of similar length,
    however, and batch norm needs mixed photos: do not use it if the encoder trains.
    """
    groups = epoch_groups([len(w) for w in words], per_image, seed, epoch)
    if like_lengths:
        groups = alike(groups, words, WINDOW * batch_size)
    batches = [batch for step in steps(groups, batch_size) for batch in step]
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [[batches[i] for i in order[first : first + accumulate]] for first in range(0, len(order), accumulate)]


def alike(groups: Sequence[Group], words: Sequence[Sequence[list[int]]], captions: int) -> list[Group]:
    """Sort groups by their longest caption, separately in each stretch of about `captions` captions."""
    stretches: list[list[Group]] = [[]]
    room = captions
    for group in groups:
        if room <= 0:
            stretches.append([])
            room = captions
        stretches[-1].append(group)
        room -= len(group[1])
    return [g for stretch in stretches for g in sorted(stretch, key=lambda g: max(len(words[g[0]][i]) for i in g[1]))]


def epoch_groups(captions: Sequence[int], per_image: int, seed: int, epoch: int) -> list[Group]:
    """Every caption once, in groups of up to `per_image` captions of one image; the groups come in random order.

    `captions[i]` is the number of captions of image i. If it is 5, `per_image=2` gives groups of 2, 2 and 1.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    groups: list[Group] = []
    for image, count in enumerate(captions):
        order = torch.randperm(count, generator=generator).tolist()
        groups += [(image, order[i : i + per_image]) for i in range(0, count, per_image)]
    return [groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()]


def steps(groups: Sequence[Group], batch_size: int, accumulate: int = 1) -> list[list[list[Group]]]:
    """Groups -> steps of `accumulate` batches of up to `batch_size` captions. A group larger than a batch is split."""
    batches: list[list[Group]] = []
    room = 0
    for image, chosen in groups:
        for part in (chosen[i : i + batch_size] for i in range(0, len(chosen), batch_size)):
            if room < len(part):
                batches.append([])
                room = batch_size
            batches[-1].append((image, part))
            room -= len(part)
    return [batches[i : i + accumulate] for i in range(0, len(batches), accumulate)]


def collate(groups: Sequence[Group], words: Sequence[Sequence[list[int]]], special: Special) -> tuple[Tensor, Captions]:
    """The image indices (B) of a batch, and its captions. `words[image][caption]` are the ids of a caption."""
    images = torch.tensor([image for image, _ in groups])
    return images, batch([[words[image][i] for i in chosen] for image, chosen in groups], special)
