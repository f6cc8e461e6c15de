"""Batch norm that survives one value a channel: one image in a batch whose map is one cell.

torch refuses to train on it, since a value minus itself says nothing. Here that batch is normalised by the running
statistics, as in evaluation, and does not move them.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def spare_lone_values(network: nn.Module) -> None:
    """Make every batch norm in the network do so."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_before)
            module.register_forward_hook(_after)


def _before(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    x = inputs[0]
    norm.spared = norm.training and x.numel() == x.shape[1]  # type: ignore[assignment]
    if norm.spared:
        norm.training = False


def _after(norm: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
    if norm.spared:
        norm.training = True
