"""Show and Tell (arXiv:1411.4555) and its kin: RNN, GRU or LSTM, told of the image in one of three ways.

first_token: the image code takes bos's place; init_state: it becomes the first hidden state; every_step: it stands
beside every word.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.decoders.dropout import Dropout
from showtell.decoders.visual import Projection
from showtell.features import Features
from showtell.settings import Count, Share

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(Decoder):
    """Reads the pooled vector of the image; a state of zeros unless conditioning is `init_state`."""

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        cell: Literal["rnn", "gru", "lstm"] = "lstm",
        conditioning: Literal["first_token", "init_state", "every_step"] = "first_token",
        embedding_dim: Count = 256,
        dim: Count = 512,
        layers: Count = 1,
        dropout: Share = 0.3,
        feature_dropout: Share = 0.2,
    ) -> None:
        super().__init__()
        self.conditioning, self.layers, self.dim = conditioning, layers, dim
        self.parts = ("hidden", "memory") if cell == "lstm" else ("hidden",)
        code_dim = layers * dim * len(self.parts) if conditioning == "init_state" else embedding_dim
        self.visual = Projection(feature_dim, code_dim, feature_dropout)
        self.words = nn.Embedding(vocabulary_size, embedding_dim)
        nn.init.normal_(self.words.weight, std=0.1)
        width = 2 * embedding_dim if conditioning == "every_step" else embedding_dim
        between = dropout if layers > 1 else 0.0
        self.cell = CELLS[cell](width, dim, num_layers=layers, dropout=between, batch_first=True)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(dim, vocabulary_size)

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

    def forward(self, memory: Memory, state: State, tokens: Tensor, attention: bool = False) -> Output:
        x = self.words(tokens)
        position = state["position"][..., None] + torch.arange(tokens.shape[-1], device=tokens.device)
        if self.conditioning == "first_token":
            x = torch.where((position == 0)[..., None], memory["code"][:, None, None].to(x.dtype), x)
        elif self.conditioning == "every_step":
            x = torch.cat([x, memory["code"][:, None, None].expand_as(x).to(x.dtype)], dim=-1)
        before = tuple(state[part].flatten(0, 1).transpose(0, 1).contiguous() for part in self.parts)  # layers BK H
        hidden, after = self.cell(self.dropout(x).flatten(0, 1), before if len(before) > 1 else before[0])
        after = after if isinstance(after, tuple) else (after,)
        shape = tokens.shape[:2]
        grown = {part: new.transpose(0, 1).unflatten(0, shape) for part, new in zip(self.parts, after, strict=True)}
        logits = self.output(self.dropout(hidden)).unflatten(0, shape)
        return Output(logits, grown | {"position": position[..., -1] + 1})
