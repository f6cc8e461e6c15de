"""Show, Attend and Tell with soft attention (arXiv:1502.03044), as the Lyon course builds it.

Before every word, a small network compares the hidden state with each visual token and gives the token a weight. The
weighted sum of the tokens, scaled by a gate, enters the cell together with the word. The pooled vector gives the first
state. Unusual, for speed: the network's term of the tokens (the keys) is computed once per image, not at every step.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.layers.cells import gru, lstm
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Place, Standardise, drop_channels
from showtell.settings.bounds import Share, Size

GATES = {"lstm": 4, "gru": 3}


class Attend(Decoder):
    """Additive attention (Bahdanau et al., arXiv:1409.0473) over the tokens (B N D) at every word.

    Without `image_dim`, the tokens are the encoder's, as in the paper, and have no positions. With `image_dim`, a
    linear layer maps them to that width, and their positions are added.
    """

    attends = True

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        cell: Literal["lstm", "gru"] = "lstm",
        embedding_dim: Size = 512,
        dim: Size = 512,
        attention_dim: Size = 512,
        image_dim: Size | None = None,
        dropout: Share = 0.5,
        feature_dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        self.parts = ("hidden", "memory") if cell == "lstm" else ("hidden",)
        self.standardise, self.feature_dropout = Standardise(feature_dim), feature_dropout
        width = image_dim or feature_dim
        self.narrow = nn.Sequential(nn.Linear(feature_dim, width), nn.LayerNorm(width)) if image_dim else None
        self.place = Place(width) if image_dim else None
        self.reads_boxes = self.place is not None
        self.first = nn.Linear(width, dim * len(self.parts))
        self.key, self.query = nn.Linear(width, attention_dim), nn.Linear(dim, attention_dim, bias=False)
        self.score = nn.Linear(attention_dim, 1, bias=False)
        self.gate = nn.Linear(dim, width)
        self.words = nn.Embedding(vocabulary_size, embedding_dim)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.from_word = nn.Linear(embedding_dim, GATES[cell] * dim)
        self.from_image = nn.Linear(width, GATES[cell] * dim, bias=False)
        self.from_state = nn.Linear(dim, GATES[cell] * dim)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(dim, vocabulary_size)

    def fit(self, features: Features) -> None:
        self.standardise.fit(features.tokens[features.mask])

    def start(self, features: Features) -> tuple[Memory, State]:
        tokens, pooled = self.standardise(features.tokens), self.standardise(features.pooled)
        if self.training and self.feature_dropout:
            tokens, pooled = drop_channels([tokens, pooled], self.feature_dropout)
        if self.narrow is not None and self.place is not None:
            tokens, pooled = self.narrow(tokens) + self.place(features.boxes), self.narrow(pooled)
        tokens = tokens.masked_fill(~features.mask[..., None], 0)
        memory = {"tokens": tokens, "keys": self.key(tokens), "mask": features.mask}
        return memory, dict(zip(self.parts, self.first(pooled)[:, None].chunk(len(self.parts), -1), strict=True))

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        from_words = self.from_word(self.dropout(self.words(tokens)))
        hidden, maps = [], []
        for place, step in enumerate(from_words.unbind(2)):
            weights = self.look(memory, state["hidden"])
            if probe is not None:
                weights = weights + probe[:, :, place, 0]
            context = weights @ memory["tokens"].to(weights.dtype)  # B K N, B N D -> B K D
            seen = self.from_image(self.gate(state["hidden"]).sigmoid() * context)
            state = self._next(step + seen, state)
            hidden.append(state["hidden"])
            maps.append(weights)
        logits = self.output(self.dropout(torch.stack(hidden, dim=2)))
        return Output(logits, state, torch.stack(maps, dim=2)[:, :, :, None] if attention else None)

    def look(self, memory: Memory, hidden: Float[Tensor, "B K dim"]) -> Float[Tensor, "B K N"]:
        """The attention weights of each caption's next word; they add up to 1 over the tokens."""
        asked = (memory["keys"][:, None] + self.query(hidden)[:, :, None]).relu_()  # B K N A
        scores = (asked @ self.score.weight[0]).masked_fill(~memory["mask"][:, None], float("-inf"))
        return scores.softmax(-1)

    def _next(self, gates: Tensor, state: State) -> State:
        own = self.from_state(state["hidden"])
        if len(self.parts) == 1:
            return {"hidden": gru(gates, own, state["hidden"])}
        return dict(zip(self.parts, lstm(gates + own, state["memory"]), strict=True))
