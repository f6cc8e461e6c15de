"""Freeze a decoder's language model; what sees the image (its map, cross-attention) still trains.

`trainable` names what else trains: `map`, `cross_attention`, `norms`, or patterns of parameters' names such as
`blocks.11.*`. Example: GPT-2 small with cross-attention has 152.8 M parameters, of which 28.4 M are cross-attention.
With `peft=none` these and the map of the image train, and the other 124.4 M are frozen.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import linear as apply_linear

from showtell.decoders.decoder import Decoder
from showtell.decoders.language import Language
from showtell.layers.dropout import Dropout
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest

NAMED = {
    "map": ("visual.*", "place.*"),
    "cross_attention": ("*cross_attention.*", "*cross_norm.*"),
    "norms": ("*norm.*", "*norm1.*", "*norm2.*", "*layernorm.*", "*ln_*"),
}
INSERTED = ("lora", "adapter", "learned")  # names of modules that PEFT inserts


def everything(decoder: Decoder) -> None:
    """All weights train; nothing is inserted."""


def nothing(decoder: Decoder, *, trainable: tuple[str, ...] = ()) -> None:
    """Only the parts that see the image train, and what `trainable` names."""
    freeze(decoder, trainable)


def freeze(decoder: Decoder, trainable: Sequence[str]) -> Language:
    """Freeze the language model and switch its dropout off. Returns where new parts may be inserted.

    Raises RecipeError if the decoder has no language model, or a pattern names nothing.
    """
    language = decoder.language
    if language is None:
        kind = type(decoder).__name__.lower()
        wrong = f"does not apply to decoder {kind!r}, which has no language model"
        raise RecipeError(wrong, key="peft.name", takes="'all' there")
    names = [name for name, _ in decoder.named_parameters()]
    patterns = [(given, NAMED.get(given, (given,))) for given in trainable]
    for given, some in patterns:
        if not any(fnmatchcase(name, pattern) for name in names for pattern in some):
            near = nearest(given, [*NAMED, *names])
            takes = [*NAMED, f"patterns of names such as {names[-1]}"]
            raise RecipeError(f"has {given!r}, which names nothing", key="peft.trainable", takes=takes, near=near)
    for name, parameter in decoder.named_parameters():
        new = any(name.startswith(f"{part}.") for part in language.new)
        asked = any(fnmatchcase(name, pattern) for _, some in patterns for pattern in some)
        parameter.requires_grad = new or asked
    for module in decoder.modules():
        if isinstance(module, Dropout):
            module.rate = 0.0
    return language


def inserted(name: str) -> bool:
    """Whether a parameter is of a part that PEFT inserted.

    >>> inserted("blocks.0.self_attention.qkv.lora.down"), inserted("blocks.0.self_attention.qkv.weight")
    (True, False)
    """
    return any(part in INSERTED for part in name.split("."))


def replace(decoder: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one of that name."""
    parent, _, last = name.rpartition(".")
    setattr(decoder.get_submodule(parent), last, module)


class Extended(nn.Module):
    """A linear map that PEFT extends. Its weight keeps its name, so files of weights fit with and without PEFT."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.transposed = type(linear).__name__ == "Conv1D"  # transformers' GPT-2 stores (inputs, outputs)
        self.weight = linear.weight
        self.register_parameter("bias", linear.bias)
        self.out_features, self.in_features = self.matrix.shape

    @property
    def matrix(self) -> Tensor:
        """(outputs, inputs)"""
        return self.weight.T if self.transposed else self.weight

    def forward(self, x: Tensor) -> Tensor:
        return apply_linear(x, self.matrix, self.bias)
