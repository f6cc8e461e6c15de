"""A causal Transformer (arXiv:1706.03762, pre-norm) that sees the image as a prefix or through cross-attention.

Keys and values of the image are computed once per image, and all its captions share them. Keys and values of words are
kept in the state (the KV cache), so that a decoding step computes only the new word.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State, check_length
from showtell.decoders.language import Language, language_of
from showtell.features import Features
from showtell.layers.attention import Attention
from showtell.layers.blocks import Block, Blocks, begin_with, remember
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Place, Projection
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Layers, Share, Size

SCALE = 0.55  # std = SCALE / sqrt(width): GPT-2's 0.02 at width 768; a narrow model that starts at 0.02 learns slowly


class Transformer(Decoder):
    """`conditioning` is how words see the image; `sees` is what they see: all visual tokens, or one pooled vector."""

    max_length: int

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        conditioning: Literal["prefix", "cross"] = "cross",
        sees: Literal["tokens", "pooled"] = "tokens",
        dim: Size = 256,
        layers: Layers = 3,
        heads: Size = 4,
        mlp_dim: Size = 1024,
        dropout: Share = 0.3,
        feature_dropout: Share = 0.2,
        max_length: Size = 256,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise RecipeError(key="decoder.dim", value=dim, takes=f"multiples of decoder.heads ({heads})")
        self.conditioning, self.sees, self.heads, self.max_length = conditioning, sees, heads, max_length
        self.visual = Projection(feature_dim, dim, feature_dropout)
        self.place = Place(dim) if sees == "tokens" else None
        self.reads_boxes = self.attends = self.place is not None  # attention over one vector would always be 1
        self.attention_layers = layers
        self.words = nn.Embedding(vocabulary_size, dim)
        self.positions = nn.Embedding(max_length, dim)
        self.dropout = Dropout(dropout)
        self.blocks = Blocks()
        for _ in range(layers):
            own = Attention(dim, heads)
            cross = Attention(dim, heads) if conditioning == "cross" else None
            self.blocks.append(Block(own, cross, dim, mlp_dim, dropout))
        self.norm = nn.LayerNorm(dim)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        for part in (self.words, self.positions, self.blocks):  # `place` keeps its own scale
            part.apply(_initialise)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("out.weight", "mlp.3.weight")):  # GPT-2: the residual stream must not grow with depth
                nn.init.normal_(weight, std=SCALE * (weight.shape[-1] * 2 * layers) ** -0.5)

    def fit(self, features: Features) -> None:
        vectors = features.tokens[features.mask] if self.sees == "tokens" else features.pooled
        self.visual.standardise.fit(vectors)

    def start(self, features: Features) -> tuple[Memory, State]:
        if self.place is None:
            visual, mask = self.visual(features.pooled)[:, None], features.mask.new_ones(features.pooled.shape[0], 1)
        else:
            visual, mask = self.visual(features.tokens) + self.place(features.boxes), features.mask
        visual = self.dropout(visual)
        kind = "cross" if self.conditioning == "cross" else "prefix"
        memory: Memory = {f"{kind}_mask": mask}
        for i, block in enumerate(self.blocks):
            keys, values, visual = block.image(visual, mask)
            remember(memory, kind, i, keys, values)
        begin = begin_with(self.learned, self.blocks, self.positions, memory, mask)
        position = torch.full((mask.shape[0], 1), begin, dtype=torch.long, device=mask.device)
        return memory, {"position": position, **self.blocks.empty(visual)}

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        position = state["position"][..., None] + torch.arange(tokens.shape[-1], device=tokens.device)
        check_length(self, state["keys0"].shape[-2] + tokens.shape[-1])
        x = self.dropout(self.words(tokens) + self.positions(position))
        x, grown, maps = self.blocks.run(x, memory, state, attention, probe)
        grown["position"] = position[..., -1] + 1
        logits = self.norm(x) @ self.words.weight.T + self.bias
        return Output(logits, grown, self._attention(maps) if attention and self.attends else None)

    def _attention(self, maps: list[Tensor]) -> Float[Tensor, "B K S H N"]:
        """Over the image only: learned positions stand behind it in the prefix."""
        attention = torch.cat(maps, dim=2).transpose(2, 3)
        learned = self.learned.length if self.learned is not None and self.conditioning == "prefix" else 0
        return attention[..., : attention.shape[-1] - learned]

    @property
    def language(self) -> Language:
        return language_of(self.blocks, self.words, new=("visual", "place"))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=SCALE * module.weight.shape[-1] ** -0.5)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
