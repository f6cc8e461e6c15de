"""Features -> what a decoder reads: standardised channels, projected to its width, with positions added to tokens."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from showtell.layers.dropout import kept

FREQUENCIES = 4


class Standardise(nn.Module):
    """Subtract each channel's mean and divide by its deviation: 7 becomes 2 if the mean is 5 and the deviation is 1.

    Both are measured once, by `fit` on training images; before that, nothing changes. The channels of frozen features
    have very different scales, and most are sparse. A small decoder learns twice as fast if they are standardised.
    Layer norm cannot replace this, because it divides all channels by one deviation. Results are clipped to -10 .. 10.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def fit(self, vectors: Float[Tensor, "M D"]) -> None:
        """Measure mean and deviation."""
        self.mean.copy_(vectors.mean(0))
        # A channel may be 0 in all of the sample. Without a minimum deviation, its first other value would explode.
        self.deviation.copy_(vectors.std(0, correction=0).clamp(min=1e-3 * float(vectors.std(correction=0)) + 1e-6))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return ((x - self.mean) / self.deviation).clamp(-10, 10)


class Unchanged(nn.Identity):
    """Takes the place of `Standardise` if a decoder reads features as they are."""

    def fit(self, vectors: Float[Tensor, "M D"]) -> None:
        """Measures nothing."""


Ending = Literal["norm", "leaky_relu"]  # layer norm, or leaky ReLU as in the Oslo course


class Projection(nn.Module):
    """Map vectors to another width: standardise, drop channels, linear map, then layer norm or leaky ReLU."""

    def __init__(
        self,
        feature_dim: int,
        dim: int | None,
        dropout: float,
        ending: Ending = "norm",
        standardise: bool = True,
    ) -> None:
        super().__init__()
        self.standardise = Standardise(feature_dim) if standardise else Unchanged()
        self.dropout = dropout
        self.linear = nn.Linear(feature_dim, dim) if dim is not None else nn.Identity()
        self.norm: nn.Module = nn.LeakyReLU()
        if ending == "norm":
            self.norm = nn.LayerNorm(dim) if dim is not None else nn.Identity()

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B dim"]:
        x = self.standardise(x)
        if self.training and self.dropout:
            (x,) = drop_channels([x], self.dropout)
        return self.norm(self.linear(x))


def drop_channels(parts: Sequence[Tensor], rate: float) -> list[Tensor]:
    """Set some channels of each image to zero, and scale up the others (channel-wise dropout).

    A channel is a property of the image, so it is dropped from all tokens and all parts (B .. D) of the image together.
    """
    images, channels = len(parts[0]), parts[0].shape[-1]
    mask = kept((images, channels), rate).to(parts[0].device)
    return [x * mask.view(images, *[1] * (x.ndim - 2), channels) for x in parts]


class Place(nn.Module):
    """Boxes -> position vectors: sines and cosines of the four edges at a few frequencies, then a linear map.

    Positions come from boxes, not from token numbers. So grids of any size and detected regions work in the same way.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 * 2 * FREQUENCIES, dim, bias=False)
        nn.init.normal_(self.linear.weight, std=FREQUENCIES**-1)  # outputs of deviation 1, as after a layer norm

    def forward(self, boxes: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B dim"]:
        angles = boxes[..., None] * (math.pi * 2.0 ** torch.arange(FREQUENCIES, device=boxes.device))
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        return self.linear(waves.to(self.linear.weight.dtype))
