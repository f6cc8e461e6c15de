"""Deletion and insertion: do the places that a map points at matter to its word?

Deletion masks the places with the largest values; a good map makes the word's log-probability fall far (RISE,
arXiv:1806.07421). Insertion keeps only them; a good map makes it fall little. Random places of the same number show
what any map would do.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from showtell.explain.explanation import Deletion, Parts

DRAWS = 10  # random masks; their mean is the chance


def deletion(parts: Parts, maps: Float[Tensor, "T N"], whole: Float[Tensor, " T"], share: float) -> Deletion:
    """How far each word falls (`whole` are the log-probabilities with the whole photo), and by chance."""
    kept = torch.cat([~strongest(maps, share), ~chance(len(parts.boxes), share)])
    log_probs = parts.log_probs(kept)
    words = len(maps)
    falls = whole - log_probs[:words].diagonal()  # word t without the places of map t
    return Deletion(share, falls, whole - log_probs[words:].mean(0))


def strongest(maps: Float[Tensor, "T N"], share: float) -> Bool[Tensor, "T N"]:
    """True for the share of the parts with the largest values, at least one part and not all.

    >>> strongest(torch.tensor([[0.1, 0.5, 0.2, 0.2, 0.0]]), 0.4)
    tensor([[False,  True,  True, False, False]])
    """
    places = maps.argsort(dim=1, descending=True, stable=True)[:, : size(maps.shape[1], share)]
    return torch.zeros(maps.shape, dtype=torch.bool).scatter_(1, places, True)


def chance(parts: int, share: float, draws: int = DRAWS, seed: int = 0) -> Bool[Tensor, "M N"]:
    """Random masks that are True for a share of the parts."""
    numbers = torch.rand(draws, parts, generator=torch.Generator().manual_seed(seed))
    return strongest(numbers, share)


def size(parts: int, share: float) -> int:
    """How many parts a share is.

    >>> size(49, 0.2), size(3, 0.1), size(2, 0.9)
    (10, 1, 1)
    """
    return min(max(1, round(share * parts)), parts - 1)
