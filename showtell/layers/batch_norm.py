"""Batch norm that also trains on one value per channel, for example one image with a feature map of 1x1.

torch refuses such a batch, because the deviation of one value is 0. Here the batch is normalised with the running
statistics, as in evaluation, and does not change them.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def spare_lone_values(network: nn.Module) -> None:
    """Let every batch norm in the network accept one value per channel."""
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
