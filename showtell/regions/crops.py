"""Crops of a photo, each encoded separately: the code that windows and a detector's boxes share.

The n crops of an image are an axis of its pixels (B n 3 h w) and its view (B n 4). A crop's view is given as a box of
the whole upright photo, in fractions. An empty row (no crop) has the view 0, 0, 0, 0.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from showtell.encoders.encoder import Encoder
from showtell.features import Features
from showtell.plumbing.errors import RecipeError

Pool = Literal["max", "mean", "none"]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
AT_ONCE = 6  # photos per batch on an accelerator, each with about ten crops; on a CPU it is one photo


class Crops(Encoder):
    """One vector of a frozen encoder for each crop. `pooled` is the whole photo's vector, unless `pool` changes it."""

    def __init__(self, encoder: Encoder, kind: str, pool: Pool) -> None:
        super().__init__()
        if encoder.trains:
            advice = "set encoder.trainable=none, encoder=lite or regions=none"
            raise RecipeError(
                "trains", key="encoder", taker=f"regions={kind} takes", takes="a frozen one", advice=advice
            )
        if (size := getattr(encoder, "grid_size", None)) is not None:
            takes = f"null with regions={kind}, which reads one vector per crop and no grid"
            raise RecipeError(key="encoder.grid_size", value=size, takes=takes, advice="remove it or set regions=none")
        self.encoder, self.pooling = encoder, pool
        self.dim, self.trains, self.reloadable, self.exact = encoder.dim, False, encoder.reloadable, encoder.exact
        # Photos are opened at 2 * `image_size` or larger, so a window of half the photo still has enough pixels.
        self.image_size = 2 * encoder.image_size
        self.train(False)

    @abstractmethod
    def boxes(self, image: Image.Image) -> Sequence[Box | None]:
        """The boxes to cut out: the whole photo, then the others, then None for each empty row."""

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        boxes = self.boxes(image)
        crops = [self.crop(image, box) for box in boxes if box is not None]
        nothing = torch.zeros_like(crops[0][0]), torch.zeros(4)
        pixels, views = zip(*crops, *[nothing] * (len(boxes) - len(crops)), strict=True)
        return torch.stack(pixels), torch.stack(views)

    def crop(self, image: Image.Image, box: Box) -> tuple[Tensor, Tensor]:
        """The encoder's pixels of a box (3 h w), and the box that they show, as fractions of the photo (4)."""
        pixels, view = self.encoder.transform(image.crop(box))
        corner, size = torch.tensor(box[:2]), torch.tensor([box[2] - box[0], box[3] - box[1]])
        shown = corner.repeat(2) + view * size.repeat(2)
        return pixels, shown / torch.tensor([*image.size, *image.size])

    def vectors(self, pixels: Tensor, view: Tensor) -> Tensor:
        """One vector per crop (B n D). A photo's vectors do not depend on the other photos of the batch."""
        size = 1 if pixels.device.type == "cpu" else AT_ONCE
        parts = zip(pixels.split(size), view.split(size), strict=True)
        seen = [self.encoder(p.flatten(0, 1), v.flatten(0, 1)).pooled.unflatten(0, p.shape[:2]) for p, v in parts]
        return torch.cat(seen)

    def pool(self, features: Features) -> Features:
        """Pool after reading the cache, so that all values of `pool` share one cache."""
        if self.pooling == "none":
            return features
        return features._replace(pooled=pooled(features.tokens, features.mask, self.pooling))


def pooled(tokens: Tensor, mask: Tensor, pool: Literal["max", "mean"]) -> Tensor:
    """Tokens (B N D) -> (B D): the maximum or mean of each channel over the real tokens."""
    real = mask[..., None]
    if pool == "max":
        return tokens.masked_fill(~real, float("-inf")).amax(1)
    return tokens.masked_fill(~real, 0).sum(1) / real.sum(1)
