"""Show and Tell (arXiv:1411.4555) and relatives: an RNN, GRU or LSTM that gets the image in one of three ways.

first_token: the image code (one vector per image) replaces the embedding of bos. init_state: the image code becomes
the first hidden state. every_step: the image code is concatenated with the embedding of every word.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.layers import cells
from showtell.layers.cells import Cell
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Ending, Projection
from showtell.plumbing.device import runs_bf16
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Layers, Share, Size

# Three cells of torch, and three that are written from the equations of the Oslo course (IN5400).
CELLS: dict[str, Callable[..., nn.Module]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "oslo_rnn": cells.RNN,
    "oslo_gru": cells.GRU,
    "oslo_lstm": cells.LSTM,
}


class Recurrent(Decoder):
    """Reads only the pooled vector of the image. The first state is zero unless conditioning is `init_state`."""

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        cell: Literal["rnn", "gru", "lstm", "oslo_rnn", "oslo_gru", "oslo_lstm"] = "lstm",
        conditioning: Literal["first_token", "init_state", "every_step"] = "first_token",
        embedding_dim: Size = 256,
        image_dim: Size | None = None,
        image_ending: Ending = "norm",
        standardise: bool = True,
        dim: Size = 512,
        layers: Layers = 1,
        initialisation: Literal["default", "he"] = "default",
        dropout: Share = 0.3,
        feature_dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        self.conditioning, self.layers, self.dim = conditioning, layers, dim
        self.parts = ("hidden", "memory") if cell.endswith("lstm") else ("hidden",)
        code_dim = self._code_dim(image_dim, embedding_dim)
        self.visual = Projection(feature_dim, code_dim, feature_dropout, image_ending, standardise)
        self.words = nn.Embedding(vocabulary_size, embedding_dim)
        nn.init.normal_(self.words.weight, std=0.1)
        width = embedding_dim + (code_dim if conditioning == "every_step" else 0)
        between = dropout if layers > 1 else 0.0
        self.cell = CELLS[cell](width, dim, num_layers=layers, dropout=between, batch_first=True)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(dim, vocabulary_size)
        if initialisation == "he":
            he_normal(self.visual.linear, self.cell, self.output)

    def _code_dim(self, image_dim: int | None, embedding_dim: int) -> int:
        """The length of the image code. `image_dim` sets it for `every_step`; otherwise the conditioning sets it."""
        if self.conditioning == "every_step":
            return image_dim or embedding_dim
        if image_dim is not None:
            takes = f"null with decoder.conditioning={self.conditioning}, which fixes the length of the image code"
            advice = "remove it or set decoder.conditioning=every_step"
            raise RecipeError(key="decoder.image_dim", value=image_dim, takes=takes, advice=advice)
        return embedding_dim if self.conditioning == "first_token" else self.layers * self.dim * len(self.parts)

    def fit(self, features: Features) -> None:
        self.visual.standardise.fit(features.pooled)

    def start(self, features: Features) -> tuple[Memory, State]:
        code = self.visual(features.pooled)
        images = code.shape[0]  # len() would fix the number in an exported graph
        state: State = {"position": torch.zeros(images, 1, dtype=torch.long, device=code.device)}
        if self.conditioning == "init_state":
            first = code.tanh().reshape(images, 1, len(self.parts), self.layers, self.dim).unbind(2)
        else:
            first = (code.new_zeros(images, 1, self.layers, self.dim),) * len(self.parts)
        return {"code": code}, state | dict(zip(self.parts, first, strict=True))

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        x = self.words(tokens)
        position = state["position"][..., None] + torch.arange(tokens.shape[-1], device=tokens.device)
        if self.conditioning == "first_token":
            x = torch.where((position == 0)[..., None], memory["code"][:, None, None].to(x.dtype), x)
        elif self.conditioning == "every_step":
            x = torch.cat([x, memory["code"][:, None, None].expand(*x.shape[:-1], -1).to(x.dtype)], dim=-1)
        before = tuple(state[part].flatten(0, 1).transpose(0, 1).contiguous() for part in self.parts)  # layers BK H
        hidden, after = self._run(self.dropout(x).flatten(0, 1), before)
        shape = tokens.shape[:2]
        grown = {part: new.transpose(0, 1).unflatten(0, shape) for part, new in zip(self.parts, after, strict=True)}
        logits = self.output(self.dropout(hidden)).unflatten(0, shape)
        return Output(logits, grown | {"position": position[..., -1] + 1})

    def _run(self, x: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Words (BK L D) and state tensors (layers BK H) -> hidden states (BK L H), and the state tensors after them.

        In full precision on a device without bf16.
        """
        whole = nullcontext() if runs_bf16(x.device) else torch.autocast(x.device.type, enabled=False)
        with whole:
            if not torch.is_autocast_enabled(x.device.type):  # without autocast, torch's cells need equal dtypes
                kind = self.output.weight.dtype
                x, before = x.to(kind), tuple(part.to(kind) for part in before)
            hidden, after = self.cell(x, before if len(before) > 1 else before[0])
        return hidden, after if isinstance(after, tuple) else (after,)


def he_normal(*modules: nn.Module) -> None:
    """Draw every matrix from a normal distribution of variance 2 / inputs; biases are zero (He et al., 1502.01852)."""
    for module in (inner for outer in modules for inner in outer.modules()):
        inputs: Literal["fan_in", "fan_out"] = "fan_in"
        if isinstance(module, Cell):  # Oslo's weights are (inputs, outputs), torch's are (outputs, inputs)
            inputs = "fan_out"
        for name, parameter in module.named_parameters(recurse=False):
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, mode=inputs)
