"""Dropout (Srivastava et al. 2014) that is fast on a CPU: each value's coin is one byte of a 64-bit random number.

torch draws a double for every coin on a CPU, which takes a sixth of a training step. With bytes, the rate is rounded
to a multiple of 1/256: 0.3 becomes 77/256.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

COINS = 256  # a byte has 256 values


class Dropout(nn.Module):
    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        return dropout(x, self.rate) if x.is_cuda else x * kept(x.shape, self.rate).to(x.dtype)


def kept(shape: torch.Size | tuple[int, ...], rate: float) -> Tensor:
    """A mask to multiply with: 0 for dropped values, and 1 / (1 - rate) for the others, so that the mean stays.

    Rate 0.5 gives values of 0 and 2.
    """
    dropped = min(COINS - 1, round(rate * COINS))
    count = torch.Size(shape).numel()
    numbers = torch.randint(-(2**63), 2**63 - 1, (count // 8 + 1,))
    coins = numbers.view(torch.uint8)[:count].view(shape)
    return (coins >= dropped) * (COINS / (COINS - dropped))
