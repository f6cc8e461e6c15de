"""Boxes of a photo, each cut out and encoded by itself: what windows and a detector's boxes have in common.

An image's crops are an axis of its pixels (B n 3 h w) and of its view (B n 4). A crop's view is composed with its box,
so that boxes are fractions of the whole upright photo; a row that stands for no box has a view without area.
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
AT_ONCE = 6  # photos in an accelerator's memory, some ten crops each; on a CPU it is one


class Crops(Encoder):
    """A frozen encoder's one vector of each crop. The vector of the whole photo is the pooled one, until `pool`."""

    def __init__(self, encoder: Encoder, kind: str, pool: Pool) -> None:
        super().__init__()
        if encoder.trains:
            raise RecipeError(
                f"regions {kind!r} reads a frozen encoder, and this one would train; "
                "take encoder.trainable=none or encoder=lite, or leave it its own grid with regions=none"
            )
        if (size := getattr(encoder, "grid_size", None)) is not None:
            raise RecipeError(
                f"encoder.grid_size is {size}, and regions {kind!r} takes one vector of each crop, no grid; "
                "leave it out, or take regions=none"
            )
        self.encoder, self.pooling = encoder, pool
        self.dim, self.trains, self.reloadable, self.exact = encoder.dim, False, encoder.reloadable, encoder.exact
        # Photos are decoded at twice `image_size`: half of one shall have what the encoder has use for.
        self.image_size = 2 * encoder.image_size
        self.train(False)

    @abstractmethod
    def boxes(self, image: Image.Image) -> Sequence[Box | None]:
        """What is cut out, the whole photo first; None, at the end, for a row that holds no crop."""

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        boxes = self.boxes(image)
        crops = [self.crop(image, box) for box in boxes if box is not None]
        nothing = torch.zeros_like(crops[0][0]), torch.zeros(4)
        pixels, views = zip(*crops, *[nothing] * (len(boxes) - len(crops)), strict=True)
        return torch.stack(pixels), torch.stack(views)

    def crop(self, image: Image.Image, box: Box) -> tuple[Tensor, Tensor]:
        """The encoder's own pixels of a box (3 h w), and what they show as fractions of the photo (4)."""
        pixels, view = self.encoder.transform(image.crop(box))
        corner, size = torch.tensor(box[:2]), torch.tensor([box[2] - box[0], box[3] - box[1]])
        shown = corner.repeat(2) + view * size.repeat(2)
        return pixels, shown / torch.tensor([*image.size, *image.size])

    def vectors(self, pixels: Tensor, view: Tensor) -> Tensor:
        """One vector of each crop (B n D); a photo's do not depend on the photos beside it."""
        size = 1 if pixels.device.type == "cpu" else AT_ONCE
        parts = zip(pixels.split(size), view.split(size), strict=True)
        found = [self.encoder(p.flatten(0, 1), v.flatten(0, 1)).pooled.unflatten(0, p.shape[:2]) for p, v in parts]
        return torch.cat(found)

    def pool(self, features: Features) -> Features:
        """After the cache, so that all ways of pooling share it."""
        if self.pooling == "none":
            return features
        return features._replace(pooled=pooled(features.tokens, features.mask, self.pooling))


def pooled(tokens: Tensor, mask: Tensor, pool: Literal["max", "mean"]) -> Tensor:
    """Tokens (B N D) -> (B D): of each channel the largest, or the mean, over what is real."""
    real = mask[..., None]
    if pool == "max":
        return tokens.masked_fill(~real, float("-inf")).amax(1)
    return tokens.masked_fill(~real, 0).sum(1) / real.sum(1)
