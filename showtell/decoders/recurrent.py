"""Show and Tell (arXiv:1411.4555) and its kin: RNN, GRU or LSTM, told of the image in one of three ways.

first_token: the image code takes bos's place; init_state: it becomes the first hidden state; every_step: it stands
beside every word.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.layers import cells
from showtell.layers.cells import Cell
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Ending, Projection
from showtell.plumbing.device import runs_bf16
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Count, Share

# torch's, and those written from the equations of the Oslo course.
CELLS: dict[str, Callable[..., nn.Module]] = {
    "rnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "oslo_rnn": cells.RNN,
    "oslo_gru": cells.GRU,
    "oslo_lstm": cells.LSTM,
}


class Recurrent(Decoder):
    """Reads the pooled vector of the image; a state of zeros unless conditioning is `init_state`."""

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        cell: Literal["rnn", "gru", "lstm", "oslo_rnn", "oslo_gru", "oslo_lstm"] = "lstm",
        conditioning: Literal["first_token", "init_state", "every_step"] = "first_token",
        embedding_dim: Count = 256,
        image_dim: Count | None = None,
        image_ending: Ending = "norm",
        dim: Count = 512,
        layers: Count = 1,
        initialisation: Literal["default", "he"] = "default",
        dropout: Share = 0.3,
        feature_dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        self.conditioning, self.layers, self.dim = conditioning, layers, dim
        self.parts = ("hidden", "memory") if cell.endswith("lstm") else ("hidden",)
        code_dim = self._code_dim(image_dim, embedding_dim)
        self.visual = Projection(feature_dim, code_dim, feature_dropout, image_ending)
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
        """How long the image code is: only beside a word it may have a length of its own."""
        if self.conditioning == "every_step":
            return image_dim or embedding_dim
        if image_dim is not None:
            raise RecipeError(
                f"decoder.image_dim is {image_dim}, and {self.conditioning} conditioning has a length of its own; "
                "leave it out, or take decoder.conditioning=every_step"
            )
        return embedding_dim if self.conditioning == "first_token" else self.layers * self.dim * len(self.parts)

    def fit(self, features: Features) -> None:
        self.visual.standardise.fit(features.pooled)

    def start(self, features: Features) -> tuple[Memory, State]:
        code = self.visual(features.pooled)
        images = len(code)
        state: State = {"position": torch.zeros(images, 1, dtype=torch.long, device=code.device)}
        if self.conditioning == "init_state":
            first = code.tanh().reshape(images, 1, len(self.parts), self.layers, self.dim).unbind(2)
        else:
            first = (code.new_zeros(images, 1, self.layers, self.dim),) * len(self.parts)
        return {"code": code}, state | dict(zip(self.parts, first, strict=True))

    def forward(self, memory: Memory, state: State, tokens: Int[Tensor, "B K S"], attention: bool = False) -> Output:
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
        """Words (BK L D) and the state (layers BK H) of each part -> hidden (BK L H), and the state after them."""
        whole = nullcontext() if runs_bf16(x.device) else torch.autocast(x.device.type, enabled=False)
        with whole:
            if not torch.is_autocast_enabled(x.device.type):  # which else sees to it
                kind = self.output.weight.dtype
                x, before = x.to(kind), tuple(part.to(kind) for part in before)
            hidden, after = self.cell(x, before if len(before) > 1 else before[0])
        return hidden, after if isinstance(after, tuple) else (after,)


def he_normal(*modules: nn.Module) -> None:
    """Every matrix normal with variance 2 / inputs, every bias zero (He et al., arXiv:1502.01852)."""
    for module in (inner for outer in modules for inner in outer.modules()):
        inputs: Literal["fan_in", "fan_out"] = "fan_in"
        if isinstance(module, Cell):  # Oslo's weights have a row for each input
            inputs = "fan_out"
        for name, parameter in module.named_parameters(recurse=False):
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.kaiming_normal_(parameter, mode=inputs)
