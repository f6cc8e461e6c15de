"""Bottleneck adapters (Houlsby et al., arXiv:1902.00751): y + up(activation(down(y))) behind parts of each layer.

`places=both` puts one behind attention and one behind the MLP (Houlsby); `mlp` only the latter (Pfeiffer,
arXiv:2005.00247). Of a layer with cross-attention, `both` means behind cross-attention. The up-projection starts at
zero, so at step 0 the model says what it said.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from showtell.decoders.decoder import Decoder
from showtell.layers.dropout import Dropout
from showtell.peft.freeze import Extended, freeze, replace
from showtell.settings.bounds import Share, Size

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}


class Bottleneck(nn.Module):
    """down to `width` channels, activation, dropout, up again."""

    def __init__(self, dim: int, width: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        self.activation, self.dropout = ACTIVATIONS[activation](), Dropout(dropout)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, y: Tensor) -> Tensor:
        return self.up(self.dropout(self.activation(self.down(y))))


class Adapted(Extended):
    """A linear map under its own names, and the bottleneck behind it as `adapter`."""

    def __init__(self, linear: nn.Module, width: int, activation: str, dropout: float) -> None:
        super().__init__(linear)
        self.adapter = Bottleneck(self.out_features, width, activation, dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + self.adapter(y)


def adapter(
    decoder: Decoder,
    *,
    places: Literal["both", "mlp"] = "both",
    width: Size = 64,
    activation: Literal["gelu", "relu", "tanh", "silu"] = "gelu",
    dropout: Share = 0.1,
    trainable: tuple[str, ...] = (),
) -> None:
    """Insert adapters of `width` channels into every layer."""
    language = freeze(decoder, trainable)
    names = language.mlp_outputs if places == "mlp" else (*language.outputs, *language.mlp_outputs)
    for name in names:
        replace(decoder, name, Adapted(decoder.get_submodule(name), width, activation, dropout))
