"""Features: what an encoder hands on, the same for a CNN's grid, a ViT's patches and a detector's regions."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Features(NamedTuple):
    """Visual tokens and one vector for each of B images; the conditioning chooses which it reads.

    `boxes` are (left, top, right, bottom) as fractions of the upright original image.
    """

    tokens: Float[Tensor, "B N D"]
    mask: Bool[Tensor, "B N"]  # True where a token is real
    pooled: Float[Tensor, "B D"]
    boxes: Float[Tensor, "B N 4"]

    def to(self, device: torch.device) -> "Features":
        return Features(*(part.to(device, non_blocking=True) for part in self))

    def select(self, images: Int[Tensor, " M"]) -> "Features":
        """The features of some of the images, in the order of the indices `images`."""
        return Features(*(part[images] for part in self))


# What is seen of the same images: the Features of one encoder, or of several encoders or views those of each.
Seen = Features | tuple[Features, ...]


def each(seen: Seen) -> tuple[Features, ...]:
    return (seen,) if isinstance(seen, Features) else seen


def first(seen: Seen) -> Features:
    return each(seen)[0]


def to(seen: Seen, device: torch.device) -> Seen:
    return seen.to(device) if isinstance(seen, Features) else tuple(part.to(device) for part in seen)


def select(seen: Seen, images: Int[Tensor, " M"]) -> Seen:
    """What is seen of some of the images, in the order of the indices `images`."""
    return seen.select(images) if isinstance(seen, Features) else tuple(part.select(images) for part in seen)


def grid_boxes(rows: int, columns: int, view: Float[Tensor, "B 4"]) -> Float[Tensor, "B N 4"]:
    """Where the cells of a grid lie in the original: `view` is the part that the encoder saw, N is rows * columns.

    >>> grid_boxes(1, 2, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]]
    """
    top, left = torch.meshgrid(torch.arange(rows) / rows, torch.arange(columns) / columns, indexing="ij")
    cells = torch.stack([left, top, left + 1 / columns, top + 1 / rows], dim=-1).reshape(-1, 4).to(view.device)
    offset, size = view[:, :2], view[:, 2:] - view[:, :2]
    return cells * size.repeat(1, 2)[:, None] + offset.repeat(1, 2)[:, None]
