"""Which captions stand together in which step: a pure function of seed and epoch, so that a run can go on anywhere."""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.tokenizers.captions import Captions, Special, batch

Group = tuple[int, list[int]]  # an image and some of its captions, by index
WINDOW = 32  # batches among which captions of like length are brought together


def epoch_steps(
    words: Sequence[Sequence[list[int]]],
    per_image: int,
    batch_size: int,
    accumulate: int,
    seed: int,
    epoch: int,
    like_lengths: bool = True,
) -> list[list[list[Group]]]:
    """All steps of an epoch, every caption once: `words[image][caption]` are its ids.

    A batch costs what its longest caption costs; with `like_lengths` captions of like length stand in one. Photos of a
    kind have captions of a length, though: an encoder with batch norm that trains wants mixed batches. The batches come
    in random order.
    """
    groups = epoch_groups([len(w) for w in words], per_image, seed, epoch)
    if like_lengths:
        groups = alike(groups, words, WINDOW * batch_size)
    batches = [batch for step in steps(groups, batch_size) for batch in step]
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [[batches[i] for i in order[first : first + accumulate]] for first in range(0, len(order), accumulate)]


def alike(groups: Sequence[Group], words: Sequence[Sequence[list[int]]], captions: int) -> list[Group]:
    """Groups in order of their longest caption, within every stretch of about so many captions."""
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
