"""Trained weights -> their exponential moving average, often the better captioner (Polyak and Juditsky 1992).

After step t (from 0) the average moves towards the weights by the share 1 - min(decay, (1 + t) / (10 + t)). With
decay 0.999 that is 0.9 after step 0, about 0.08 after step 99, and 0.001 in the end. So the average soon forgets the
first, bad weights. A decay of 0 switches averaging off and costs nothing.
"""

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class Average:
    """The moving average of the trained parameters and of the running statistics (batch norm's) in the same modules.

    It starts with the values at construction.
    """

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
        """Move the averages towards the weights after optimizer step `step`."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for average, tensor in zip(self.averages, self.live, strict=True):
            average.lerp_(tensor, share)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside `with`, the modules compute with the averages. After it they have exactly their old weights."""
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
