"""Features -> what a decoder reads: standardised channels, projected to its width, each token told where it lies."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from showtell.layers.dropout import kept

FREQUENCIES = 4


class Standardise(nn.Module):
    """Each channel minus its mean, over its deviation, as measured once on training images (until then: unchanged).

    Frozen features have channels of very different scale, and most are sparse; a small decoder learns twice as fast
    on standardised ones. A layer norm alone mixes the channels' scales.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))

    def fit(self, vectors: Float[Tensor, "M D"]) -> None:
        """Measure on vectors."""
        self.mean.copy_(vectors.mean(0))
        # A channel that is dead in the sample must not explode on the first image where it lives.
        self.deviation.copy_(vectors.std(0, correction=0).clamp(min=1e-3 * float(vectors.std(correction=0)) + 1e-6))

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        return ((x - self.mean) / self.deviation).clamp(-10, 10)


Ending = Literal["norm", "leaky_relu"]  # layer norm, or as the Oslo course has it


class Projection(nn.Module):
    """Vectors of another width: standardise, drop whole channels, map, layer norm or leaky ReLU."""

    def __init__(self, feature_dim: int, dim: int, dropout: float, ending: Ending = "norm") -> None:
        super().__init__()
        self.standardise = Standardise(feature_dim)
        self.dropout = dropout
        self.linear = nn.Linear(feature_dim, dim)
        self.norm = nn.LayerNorm(dim) if ending == "norm" else nn.LeakyReLU()

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B dim"]:
        x = self.standardise(x)
        if self.training and self.dropout:
            (x,) = drop_channels([x], self.dropout)
        return self.norm(self.linear(x))


def drop_channels(parts: Sequence[Tensor], rate: float) -> list[Tensor]:
    """Parts (B .. D) of the same images without some channels, the same in all parts and for all tokens of an image.

    A channel is a property, and it is missing everywhere or nowhere.
    """
    images, channels = len(parts[0]), parts[0].shape[-1]
    mask = kept((images, channels), rate).to(parts[0].device)
    return [x * mask.view(images, *[1] * (x.ndim - 2), channels) for x in parts]


class Place(nn.Module):
    """Boxes -> vectors: sines of the edges at a few frequencies, then a linear map.

    Positions come from boxes rather than from a token's number, so that grids of any size and detected regions are one.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4 * 2 * FREQUENCIES, dim, bias=False)
        nn.init.normal_(self.linear.weight, std=FREQUENCIES**-1)  # about one a channel, as a normalised vector has

    def forward(self, boxes: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B dim"]:
        angles = boxes[..., None] * (math.pi * 2.0 ** torch.arange(FREQUENCIES, device=boxes.device))
        return self.linear(torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(-2))
