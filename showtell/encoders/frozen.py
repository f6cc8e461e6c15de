"""Helpers for frozen encoders: features as the cache stores them, and digests of weights."""

from collections.abc import Mapping
from hashlib import blake2b

import torch
from torch import Tensor

from showtell.features import Features


def to_half_and_back(features: Features) -> Features:
    """Round features to fp16 as the cache does, so that live and cached features are equal.

    Numbers beyond the range of fp16 become its largest number: 70000 becomes 65504.
    """
    largest = torch.finfo(torch.half).max
    tokens, pooled = (
        part.float().clamp(-largest, largest).half().float() for part in (features.tokens, features.pooled)
    )
    return features._replace(tokens=tokens, pooled=pooled)


def digest(settings: tuple[object, ...], tensors: Mapping[str, Tensor] | None = None) -> str:
    """A digest of settings and weights: equal numbers give the same 32 hex digits in every process."""
    hashed = blake2b(repr(settings).encode(), digest_size=16)
    for name, tensor in sorted((tensors or {}).items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()
