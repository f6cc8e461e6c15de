"""Trained weights -> their exponential moving average, often the better captioner (Polyak and Juditsky 1992).

After step t (from 0) the average moves by 1 - min(decay, (1 + t) / (10 + t)) towards the weights: the first steps,
which say little, are soon forgotten. A decay of 0 averages nothing and costs nothing.
"""

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class Average:
    """Follows the parameters that train, and the running statistics beside them, from where they now stand."""

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        self.decay = decay
        self.live: list[Tensor] = []
        for module in modules if decay else ():
            trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
            statistics = [buffer for buffer in module.buffers() if buffer.is_floating_point()] if trained else []
            self.live += trained + statistics
        self.averages = [tensor.detach().clone() for tensor in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the weights that step number `step` made."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for average, tensor in zip(self.averages, self.live, strict=True):
            average.lerp_(tensor, share)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The modules compute with the averages, and after it with exactly the weights that they had."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, tensor in zip(self.averages, self.live, strict=True):
            kept = tensor.clone()
            tensor.copy_(average)
            average.copy_(kept)
