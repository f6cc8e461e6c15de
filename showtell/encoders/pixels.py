"""What every encoder does before its first layer: resize the image to a square of bytes, then normalise the bytes.

The square is computed once per image and cached. `forward` normalises, because bytes need a quarter of the memory of
fp32 numbers in the cache and on the way to a GPU.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from showtell.plumbing.errors import RecipeError

Resize = Literal["stretch", "crop"]


@dataclass(frozen=True)
class Square:
    """Resize an image to `size` x `size`: `stretch` distorts the whole image, `crop` takes only its centre square."""

    size: int
    resize: Resize

    def __post_init__(self) -> None:
        if self.size < 1:
            raise RecipeError(key="image_size", value=self.size, takes="1 or more (224 is usual)")
        if self.resize not in ("stretch", "crop"):
            raise RecipeError(key="resize", value=self.resize, takes=("stretch", "crop"))

    def __call__(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        """RGB image -> pixels (3 size size) uint8 and view (4), as fractions of the image. Bicubic, antialiased."""
        width, height = image.size
        side = min(width, height)
        left, top = ((width - side) / 2, (height - side) / 2) if self.resize == "crop" else (0.0, 0.0)
        box = (left, top, width - left, height - top)
        small = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)  # h w 3 -> 3 h w; memory stays channels-last
        return pixels, torch.tensor(box) / torch.tensor([width, height, width, height])


class Normalise(nn.Module):
    """Bytes x (0 to 255) -> (x - mean) / std, with mean and std on the same scale.

    The buffers come from settings, so they are not saved with a run.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
