"""A causal Transformer (arXiv:1706.03762, pre-norm) that sees the image as a prefix or through cross-attention.

Keys and values of the image are computed once per image, and all its captions share them. Keys and values of words are
kept in the state (the KV cache), so that a decoding step computes only the new word.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.layers.attention import Attention
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Place, Projection
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Count, Share

SCALE = 0.55  # std = SCALE / sqrt(width): GPT-2's 0.02 at width 768; a narrow model that starts at 0.02 learns slowly


class Block(nn.Module):
    """x + self-attention(norm(x)), then x + cross-attention(norm(x)) if it has one, then x + MLP(norm(x))."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, dropout: float, cross: bool) -> None:
        super().__init__()
        self.self_norm, self.self_attention = nn.LayerNorm(dim), Attention(dim, heads)
        self.cross_norm = nn.LayerNorm(dim) if cross else None
        self.cross_attention = Attention(dim, heads) if cross else None
        self.mlp_norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_dim), nn.GELU(), Dropout(dropout), nn.Linear(mlp_dim, dim))
        self.dropout = Dropout(dropout)

    def image(
        self, visual: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]
    ) -> tuple[Float[Tensor, "B H N d"], Float[Tensor, "B H N d"], Float[Tensor, "B N D"]]:
        """Visual tokens -> the keys and values that words read, and the visual tokens for the next block.

        With cross-attention, the visual tokens do not change. As a prefix, they go through the block too, and every
        visual token sees all others.
        """
        if self.cross_attention is not None:
            return *self.cross_attention.keys_values(visual), visual
        x = self.self_norm(visual)
        keys, values = self.self_attention.keys_values(x)
        seen, _ = self.self_attention.over_image(x[:, None], keys, values, mask, maps=False)
        visual = visual + self.dropout(seen[:, 0])
        return keys, values, visual + self.dropout(self.mlp(self.mlp_norm(visual)))

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor], image: tuple[Tensor, Tensor, Tensor], maps: bool
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Words (B K S D) -> words, the past with S more words, and attention over the image (B K H S N) if `maps`."""
        prefix = image if self.cross_attention is None else None
        said, weights, past = self.self_attention.over_words(self.self_norm(x), past, prefix, maps)
        x = x + self.dropout(said)
        if self.cross_attention is not None and self.cross_norm is not None:
            seen, weights = self.cross_attention.over_image(self.cross_norm(x), *image, maps)
            x = x + self.dropout(seen)
        return x + self.dropout(self.mlp(self.mlp_norm(x))), past, weights


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
        dim: Count = 256,
        layers: Count = 3,
        heads: Count = 4,
        mlp_dim: Count = 1024,
        dropout: Share = 0.3,
        feature_dropout: Share = 0.2,
        max_length: Count = 256,
    ) -> None:
        super().__init__()
        if dim % heads:
            raise RecipeError(key="decoder.dim", value=dim, takes=f"multiples of decoder.heads ({heads})")
        self.conditioning, self.sees, self.heads, self.max_length = conditioning, sees, heads, max_length
        self.visual = Projection(feature_dim, dim, feature_dropout)
        self.place = Place(dim) if sees == "tokens" else None
        self.reads_boxes = self.attends = self.place is not None  # attention over one vector would always be 1
        self.words = nn.Embedding(vocabulary_size, dim)
        self.positions = nn.Embedding(max_length, dim)
        self.dropout = Dropout(dropout)
        cross = conditioning == "cross"
        blocks = [Block(dim, heads, mlp_dim, dropout, cross) for _ in range(layers)]
        self.blocks = nn.ModuleList(blocks)
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
            visual, mask = self.visual(features.pooled)[:, None], features.mask.new_ones(len(features.pooled), 1)
        else:
            visual, mask = self.visual(features.tokens) + self.place(features.boxes), features.mask
        visual = self.dropout(visual)
        memory: Memory = {"mask": mask}
        state: State = {"position": torch.zeros(len(mask), 1, dtype=torch.long, device=mask.device)}
        for i, block in enumerate(self.blocks):
            keys, values, visual = block.image(visual, mask)  # type: ignore[operator]
            # Contiguous, because otherwise every later step would copy them before it multiplies.
            memory[f"keys{i}"], memory[f"values{i}"] = keys.contiguous(), values.contiguous()
            state[f"keys{i}"] = state[f"values{i}"] = keys.new_empty(len(mask), 1, self.heads, 0, keys.shape[-1])
        return memory, state

    def forward(self, memory: Memory, state: State, tokens: Int[Tensor, "B K S"], attention: bool = False) -> Output:
        position = state["position"][..., None] + torch.arange(tokens.shape[-1], device=tokens.device)
        if state["keys0"].shape[-2] + tokens.shape[-1] > self.max_length:
            length = state["keys0"].shape[-2] + tokens.shape[-1]
            takes, advice = f"at least {length} for a caption of {length} tokens", "use shorter captions"
            raise RecipeError(key="decoder.max_length", value=self.max_length, takes=takes, advice=advice)
        x = self.dropout(self.words(tokens) + self.positions(position))
        grown: State = {"position": position[..., -1] + 1}
        maps = []
        for i, block in enumerate(self.blocks):
            image = memory[f"keys{i}"], memory[f"values{i}"], memory["mask"]
            x, past, weights = block(x, (state[f"keys{i}"], state[f"values{i}"]), image, attention)
            grown[f"keys{i}"], grown[f"values{i}"] = past
            maps.append(weights)
        logits = self.norm(x) @ self.words.weight.T + self.bias
        return Output(logits, grown, torch.cat(maps, dim=2).transpose(2, 3) if attention and self.attends else None)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=SCALE * module.weight.shape[-1] ** -0.5)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
