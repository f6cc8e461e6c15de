"""Top-down attention: the two-layer LSTM of the Oslo course (IN5400, task 4), after Anderson et al. (1707.07998).

The first LSTM reads the word and the max-pooled regions. Its state gives every region a weight. The second LSTM reads
the first one's hidden state and the weighted sum of the regions.

Unusual, as in the course: the attention network does not read the regions, only the state of the first LSTM. Weight 3
always belongs to region 3, so the number of regions is fixed, and their order must mean something: a detector's
confidence, or a fixed set of windows.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.layers.batch_norm import spare_lone_values
from showtell.layers.cells import LSTMCell
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Standardise, Unchanged
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Share, Size


class Topdown(Decoder):
    """Reads a fixed number of regions (B N D); N must be `regions`."""

    attends = True

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        regions: Size = 10,
        embedding_dim: Size = 300,
        image_dim: Size = 512,
        dim: Size = 512,
        attention_dim: Size = 50,
        dropout: Share = 0.0,
        feature_dropout: Share = 0.25,
        standardise: bool = True,
    ) -> None:
        super().__init__()
        self.regions = regions
        self.standardise = Standardise(feature_dim) if standardise else Unchanged()
        self.feature_dropout = Dropout(feature_dropout)
        self.linear, self.norm = nn.Linear(feature_dim, image_dim), nn.BatchNorm1d(image_dim)
        spare_lone_values(self.norm)  # a batch may have only one real region, and torch would refuse to train on it
        self.words = nn.Embedding(vocabulary_size, embedding_dim)
        nn.init.normal_(self.words.weight, std=0.1)
        self.first, self.second = LSTMCell(dim, embedding_dim + image_dim), LSTMCell(dim, dim + image_dim)
        self.attention = nn.Sequential(
            Dropout(feature_dropout),
            nn.Linear(2 * dim, attention_dim),
            nn.LeakyReLU(),
            nn.Linear(attention_dim, regions),
        )
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(dim, vocabulary_size)
        self.dim = dim

    def fit(self, features: Features) -> None:
        self.standardise.fit(features.tokens[features.mask])

    def start(self, features: Features) -> tuple[Memory, State]:
        images, count = features.mask.shape
        if count != self.regions:
            takes = f"{count}, the number of tokens that the encoder gives for an image"
            advice = f"set decoder.regions={count}, or add a `regions` section that gives {self.regions} regions"
            raise RecipeError(key="decoder.regions", value=self.regions, takes=takes, advice=advice)
        real = features.mask[..., None]
        seen = self.linear(self.feature_dropout(self.standardise(features.tokens)))
        if self.training:
            # Batch norm reads only real tokens, because padding would shift its mean and deviation.
            seen = seen.new_zeros(seen.shape).masked_scatter(real, self.norm(seen[features.mask]))
        else:
            seen = self.norm(seen.flatten(0, 1)).unflatten(0, (images, count)).masked_fill(~real, 0)
        tokens = leaky_relu(seen)
        pooled = tokens.masked_fill(~real, float("-inf")).amax(1)
        state = {name: tokens.new_zeros(images, 1, 2 * self.dim) for name in ("first", "second")}
        return {"tokens": tokens, "pooled": pooled, "mask": features.mask}, state

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        captions = tokens.shape[:2]
        x = self.dropout(self.words(tokens))
        x = torch.cat([x, memory["pooled"][:, None, None].expand(*x.shape[:-1], -1).to(x.dtype)], dim=-1)
        first = self.first.run(x.flatten(0, 1), state["first"].flatten(0, 1).to(x.dtype)).unflatten(0, captions)
        scores = self.attention(first).masked_fill(~memory["mask"][:, None, None], float("-inf"))  # B K S N
        weights = scores.softmax(-1)
        if probe is not None:
            weights = weights + probe[:, :, :, 0]
        seen = weights.flatten(1, 2) @ memory["tokens"].to(weights.dtype)  # B KS N, B N D -> B KS D
        x = torch.cat([first[..., : self.dim], seen.unflatten(1, weights.shape[1:3])], dim=-1)
        second = self.second.run(x.flatten(0, 1), state["second"].flatten(0, 1).to(x.dtype)).unflatten(0, captions)
        logits = self.output(self.dropout(second[..., : self.dim]))
        grown = {"first": first[:, :, -1], "second": second[:, :, -1]}
        return Output(logits, grown, weights[..., None, :] if attention else None)
