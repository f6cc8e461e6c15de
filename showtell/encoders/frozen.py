"""Modules, or parts of them, that do not train: their gradients, their mode, and how their features leave."""

from collections.abc import Mapping
from hashlib import blake2b

import torch
from torch import Tensor

from showtell.features import Features


def to_half_and_back(features: Features) -> Features:
    """Features as a cache in fp16 would give them back, so that live and cached agree; too large becomes largest."""
    largest = torch.finfo(torch.half).max
    tokens, pooled = (
        part.float().clamp(-largest, largest).half().float() for part in (features.tokens, features.pooled)
    )
    return features._replace(tokens=tokens, pooled=pooled)


def digest(settings: tuple[object, ...], tensors: Mapping[str, Tensor] | None = None) -> str:
    """One name for settings and weights: the same numbers give the same 32 letters in every process."""
    hashed = blake2b(repr(settings).encode(), digest_size=16)
    for name, tensor in sorted((tensors or {}).items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()
