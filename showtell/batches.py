"""Which captions stand together in which step: a pure function of seed and epoch, so that a run can go on anywhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.tokenizers.captions import Captions, Special, batch

Group = tuple[int, list[int]]  # an image and some of its captions, by index


def epoch_groups(captions: Sequence[int], per_image: int, seed: int, epoch: int) -> list[Group]:
    """Every caption once, in random order: up to `per_image` captions of an image stand together.

    `captions[i]` is how many captions image i has.
    """
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    groups: list[Group] = []
    for image, count in enumerate(captions):
        order = torch.randperm(count, generator=generator).tolist()
        groups += [(image, order[i : i + per_image]) for i in range(0, count, per_image)]
    return [groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()]


def steps(groups: Sequence[Group], batch_size: int, accumulate: int = 1) -> list[list[list[Group]]]:
    """Groups -> steps of `accumulate` batches of up to `batch_size` captions; a group larger than a batch is cut."""
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
    """A batch's image indices (B) and its captions, of which `words[image][caption]` are the ids."""
    images = torch.tensor([image for image, _ in groups])
    return images, batch([[words[image][i] for i in chosen] for image, chosen in groups], special)
