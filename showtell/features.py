"""Features: what an encoder hands on, the same for a CNN's grid, a ViT's patches and a detector's regions."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Features(NamedTuple):
    """Visual tokens and one vector for each of B images; the conditioning chooses which it reads.

    `boxes` are (left, top, right, bottom) as fractions of the upright original image.
    """

    tokens: Tensor  # B N D
    mask: Tensor  # B N, True where a token is real
    pooled: Tensor  # B D
    boxes: Tensor  # B N 4

    def to(self, device: torch.device) -> "Features":
        return Features(*(part.to(device, non_blocking=True) for part in self))

    def select(self, images: Tensor) -> "Features":
        """The features of some of the images, in the order of the indices `images`."""
        return Features(*(part[images] for part in self))


class Several(Features):
    """The features of the same images by several encoders: those of the first, and in `parts` those of each."""

    parts: tuple[Features, ...]

    @classmethod
    def of(cls, parts: Sequence[Features]) -> "Several":
        joined = cls(*parts[0])
        joined.parts = tuple(parts)
        return joined

    def to(self, device: torch.device) -> "Several":
        return Several.of([part.to(device) for part in self.parts])

    def select(self, images: Tensor) -> "Several":
        return Several.of([part.select(images) for part in self.parts])


def grid_boxes(rows: int, columns: int, view: Tensor) -> Tensor:
    """Where the cells of a grid lie in the original: view (B 4), the part that the encoder saw -> (B rows*columns 4).

    >>> grid_boxes(1, 2, torch.tensor([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]]
    """
    top, left = torch.meshgrid(torch.arange(rows) / rows, torch.arange(columns) / columns, indexing="ij")
    cells = torch.stack([left, top, left + 1 / columns, top + 1 / rows], dim=-1).reshape(-1, 4).to(view.device)
    offset, size = view[:, :2], view[:, 2:] - view[:, :2]
    return cells * size.repeat(1, 2)[:, None] + offset.repeat(1, 2)[:, None]
