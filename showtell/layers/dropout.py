"""Dropout (Srivastava et al. 2014) whose coins are cheap on a CPU: one byte each, eight to a random number.

torch draws a double for every coin there, a sixth of a training step; the rate is rounded to a 256th.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

COINS = 256  # a byte's values


class Dropout(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        return dropout(x, self.rate) if x.is_cuda else x * kept(x.shape, self.rate).to(x.dtype)


def kept(shape: torch.Size | tuple[int, ...], rate: float) -> Tensor:
    """A mask of 0 where dropped, elsewhere what keeps the mean: 256 / (256 - dropped coins)."""
    dropped = min(COINS - 1, round(rate * COINS))
    count = torch.Size(shape).numel()
    numbers = torch.randint(-(2**63), 2**63 - 1, (count // 8 + 1,))
    coins = numbers.view(torch.uint8)[:count].view(shape)
    return (coins >= dropped) * (COINS / (COINS - dropped))
