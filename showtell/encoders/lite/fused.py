"""Fused layers, for speed: a convolution, its ReLU6 and the residual addition in one pass over memory, on the CPU.

Small networks spend more time on moving feature maps than on multiplying them. oneDNN can do all three at once, if the
weights are in its own layout. torch offers this through the private operators of torch.compile. So they are first tried
on a small map: if they are missing or give other results, the plain layers run, which are equal to 1e-4. These
operators choose their algorithm without looking at the batch size, so a photo has the same features in every batch.
"""

from functools import cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

Key = tuple[int, int]  # a weight's address in memory, and how often it was changed in place

_packed: WeakKeyDictionary[nn.Conv2d, tuple[Key, Tensor]] = WeakKeyDictionary()


def fuses(x: Tensor) -> bool:
    """Whether `convolve` can be used for this input."""
    if torch.compiler.is_compiling():
        return False
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled() and _works()


def convolve(layer: nn.Conv2d, x: Tensor, *, relu6: bool = False, add: Tensor | None = None) -> Tensor:
    """The layer's convolution with its padding, then a ReLU6 or the addition of `add`, which is overwritten."""
    weight, settings = _laid_out(layer), (layer.padding, layer.stride, layer.dilation, layer.groups)
    if add is not None:
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            add, x, weight, layer.bias, *settings, "add", 1.0, None, [], None
        )
    kind, bounds = ("hardtanh", [0.0, 6.0]) if relu6 else ("none", [])
    return torch.ops.mkldnn._convolution_pointwise(x, weight, layer.bias, *settings, kind, bounds, "")


def _laid_out(layer: nn.Conv2d) -> Tensor:
    """The layer's weight in oneDNN's layout. It is converted again if the weight has changed."""
    weight = layer.weight
    key = (weight.data_ptr(), 0 if weight.is_inference() else weight._version)
    known, packed = _packed.get(layer, (None, None))
    if packed is None or known != key:
        plain = weight.detach().contiguous(memory_format=torch.channels_last)
        settings = (layer.padding, layer.stride, layer.dilation, layer.groups)
        packed = torch.ops.mkldnn._reorder_convolution_weight(plain, *settings, None)
        _packed[layer] = key, packed
    return packed


@cache
def _works() -> bool:
    """Whether the operators exist and compute what they should, tried on 4 channels."""
    with torch.random.fork_rng(devices=[]):  # otherwise this test would change the random numbers of a training run
        layer = nn.Conv2d(4, 4, 3, padding=1)
    x = torch.linspace(-9, 9, 4 * 25).reshape(1, 4, 5, 5)
    with torch.no_grad():
        x = x.contiguous(memory_format=torch.channels_last)
        plain = conv2d(x, layer.weight, layer.bias, padding=1)
        try:
            got = convolve(layer, x, relu6=True), convolve(layer, x, add=x.clone()), convolve(layer, x)
        except (AttributeError, RuntimeError, TypeError):
            return False
    expected = plain.clamp(0, 6), plain + x, plain
    return all(torch.allclose(one, other, atol=1e-4) for one, other in zip(got, expected, strict=True))
