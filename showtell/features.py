"""Features: the output of every encoder. A CNN's grid, a ViT's patches and a detector's regions have the same form."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Features(NamedTuple):
    """Visual tokens and one vector for each of B images; the decoder's conditioning chooses what it reads.

    `boxes` are (left, top, right, bottom) as fractions of the upright original image: (0, 0, 0.5, 1) is its left half.
    """

    tokens: Float[Tensor, "B N D"]
    mask: Bool[Tensor, "B N"]  # True where a token is real
    pooled: Float[Tensor, "B D"]
    boxes: Float[Tensor, "B N 4"]

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> "Features":
        """`dtype` is for tokens and pooled; boxes stay exact."""
        tokens, mask, pooled, boxes = (part.to(device, non_blocking=True) for part in self)
        if dtype is not None:
            tokens, pooled = tokens.to(dtype), pooled.to(dtype)
        return Features(tokens, mask, pooled, boxes)

    def select(self, images: Int[Tensor, " M"]) -> "Features":
        """The features of the images with these indices, in this order."""
        return Features(*(part[images] for part in self))


# All features of the same images: Features from one encoder, or a tuple with one for each encoder or view.
Seen = Features | tuple[Features, ...]


def each(seen: Seen) -> tuple[Features, ...]:
    return (seen,) if isinstance(seen, Features) else seen


def first(seen: Seen) -> Features:
    return each(seen)[0]


def to(seen: Seen, device: torch.device, dtype: torch.dtype | None = None) -> Seen:
    return seen.to(device, dtype) if isinstance(seen, Features) else tuple(part.to(device, dtype) for part in seen)


def select(seen: Seen, images: Int[Tensor, " M"]) -> Seen:
    """The features of the images with these indices, in this order."""
    return seen.select(images) if isinstance(seen, Features) else tuple(part.select(images) for part in seen)


def grid_boxes(rows: int, columns: int, view: Float[Tensor, "B 4"]) -> Float[Tensor, "B N 4"]:
    """The boxes of a grid's N = rows * columns cells. `view` is the box of the part of the image that the encoder saw.

    >>> grid_boxes(1, 2, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]]
    """
    top, left = torch.meshgrid(torch.arange(rows) / rows, torch.arange(columns) / columns, indexing="ij")
    cells = torch.stack([left, top, left + 1 / columns, top + 1 / rows], dim=-1).reshape(-1, 4).to(view.device)
    offset, size = view[:, :2], view[:, 2:] - view[:, :2]
    return cells * size.repeat(1, 2)[:, None] + offset.repeat(1, 2)[:, None]
