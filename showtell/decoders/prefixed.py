"""Tensors of several decoders in one dict: each name gets its decoder's prefix."""

from torch import Tensor


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def own(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those with the prefix, by their own names."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
