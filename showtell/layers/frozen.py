"""Modules that do not train stay in eval mode."""

from torch import nn


def frozen_in_eval(module: nn.Module) -> None:
    """Put every submodule whose parameters are all frozen into eval mode.

    Then its dropout is off, and its batch norm does not update its statistics. The base classes Encoder and Decoder
    call this whenever they are put into training mode.
    """
    parameters = list(module.parameters())
    if parameters and not any(p.requires_grad for p in parameters):
        module.eval()
    else:
        for child in module.children():
            frozen_in_eval(child)
