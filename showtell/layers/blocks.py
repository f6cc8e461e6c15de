"""The layers of a causal Transformer: words look back at words, and at what all captions of an image share.

What is shared lies in the memory, once per image: `cross_keys3` and `cross_values3` are what the cross-attention of
layer 3 reads, `prefix_keys3` and `prefix_values3` what its self-attention reads before the words. The words' own keys
and values lie in the state (the KV cache), so that a decoding step computes only the new word.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import pad

from showtell.layers.attention import Attention
from showtell.layers.dropout import Dropout
from showtell.layers.learned import Learned, LearnedPrompt

Shared = tuple[Tensor, Tensor, Tensor]  # keys (B H N d), values (B H N d), mask (B N)


class Block(nn.Module):
    """x + self-attention(norm(x)), then x + cross-attention(norm(x)) if it has one, then x + MLP(norm(x))."""

    def __init__(
        self,
        attention: Attention,
        cross: Attention | None,
        dim: int,
        mlp_dim: int,
        dropout: float,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.self_norm, self.self_attention = nn.LayerNorm(dim), attention
        self.cross_norm = nn.LayerNorm(dim) if cross is not None else None
        self.cross_attention = cross
        self.mlp_norm = nn.LayerNorm(dim)
        activation = activation or nn.GELU()
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_dim), activation, Dropout(dropout), nn.Linear(mlp_dim, dim))
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
        self,
        x: Tensor,
        past: tuple[Tensor, Tensor],
        prefix: Shared | None,
        cross: Shared | None,
        maps: bool,
        probe: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Words (B K S D) -> words, the past with S more words, and attention if `maps`.

        Attention is over the image of the cross-attention (B K H S N), or else over the prefix. `probe` is added to it.
        """
        own_probe = probe if self.cross_attention is None else None
        said, weights, past = self.self_attention.over_words(self.self_norm(x), past, prefix, maps, own_probe)
        x = x + self.dropout(said)
        if self.cross_attention is not None and self.cross_norm is not None and cross is not None:
            seen, weights = self.cross_attention.over_image(self.cross_norm(x), *cross, maps, probe)
            x = x + self.dropout(seen)
        return x + self.dropout(self.mlp(self.mlp_norm(x))), past, weights


class Blocks(nn.ModuleList):
    """All layers, first one first."""

    def __iter__(self) -> Iterator[Block]:
        return super().__iter__()  # type: ignore[return-value]

    def empty(self, like: Tensor) -> dict[str, Tensor]:
        """The state of one caption per image of `like` (B ..) before its first word: no keys in any layer."""
        state = {}
        images = like.shape[0]  # len() would fix the number in an exported graph
        for i, block in enumerate(self):
            heads, width = block.self_attention.heads, block.self_attention.out.in_features
            nothing = like.new_empty(images, 1, heads, 0, width // heads)
            state[f"keys{i}"] = state[f"values{i}"] = nothing
        return state

    def run(
        self,
        x: Float[Tensor, "B K S D"],
        memory: dict[str, Tensor],
        state: dict[str, Tensor],
        maps: bool,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], list[Tensor]]:
        """Words -> words, the state with S more words, and each layer's attention if `maps`.

        `probe` has the heads of all layers that attend to the image.
        """
        grown, weights = {}, []
        probes = self._probes(memory, probe)
        crossed = "cross_mask" in memory  # then the image is there, and not in the prefix
        for i, block in enumerate(self):
            past = state[f"keys{i}"], state[f"values{i}"]
            prefix, cross = shared(memory, "prefix", i), shared(memory, "cross", i)
            looks = maps and (cross if crossed else prefix) is not None
            x, (keys, values), seen = block(x, past, prefix, cross, looks, probes.get(i))
            grown[f"keys{i}"], grown[f"values{i}"] = keys, values
            if looks:
                weights.append(seen)
        return x, grown, weights

    def _probes(self, memory: dict[str, Tensor], probe: Tensor | None) -> dict[int, Tensor]:
        """Each layer's part of a probe (B K H S P); 0 for what learned positions add to the prefix."""
        if probe is None:
            return {}
        kind = "cross" if "cross_mask" in memory else "prefix"
        layers = [i for i in range(len(self)) if f"{kind}_keys{i}" in memory]
        spare = memory[f"{kind}_mask"].shape[1] - probe.shape[-1]
        parts = pad(probe.transpose(2, 3), (0, spare)).chunk(len(layers), dim=2)
        return dict(zip(layers, parts, strict=True))


def shared(memory: dict[str, Tensor], kind: str, layer: int) -> Shared | None:
    """What layer number `layer` reads of the memory: `kind` is cross or prefix. None if there is nothing."""
    keys = memory.get(f"{kind}_keys{layer}")
    return None if keys is None else (keys, memory[f"{kind}_values{layer}"], memory[f"{kind}_mask"])


def remember(memory: dict[str, Tensor], kind: str, layer: int, keys: Tensor, values: Tensor) -> None:
    """Keep keys and values in one piece each, or every later step would copy them before it multiplies."""
    memory[f"{kind}_keys{layer}"], memory[f"{kind}_values{layer}"] = keys.contiguous(), values.contiguous()


def begin_with(
    learned: Learned | None,
    blocks: Blocks,
    positions: nn.Embedding,
    memory: dict[str, Tensor],
    mask: Bool[Tensor, "B N"],
) -> int:
    """Put learned positions behind the prefix in the memory. Returns how many, so that words are numbered from there.

    A prompt's vectors are read as words are: they see the image and each other.
    """
    if learned is None:
        return 0
    images = mask.shape[0]
    if isinstance(learned, LearnedPrompt):
        x = learned.vectors + positions.weight[: learned.length]
        x = x.expand(images, 1, *x.shape)
        _, grown, _ = blocks.run(x, memory, blocks.empty(x), maps=False)
        pairs = [(grown[f"keys{i}"][:, 0], grown[f"values{i}"][:, 0]) for i in range(len(blocks))]
    else:
        pairs = [(keys.expand(images, *keys.shape), values.expand(images, *values.shape)) for keys, values in learned()]
    for i, (keys, values) in enumerate(pairs):
        before = shared(memory, "prefix", i)
        if before is not None:
            keys, values = torch.cat([before[0], keys], dim=2), torch.cat([before[1], values], dim=2)
        remember(memory, "prefix", i, keys, values)
    real = torch.ones(images, learned.length, dtype=torch.bool, device=keys.device)
    memory["prefix_mask"] = torch.cat([memory["prefix_mask"], real], dim=1) if "prefix_mask" in memory else real
    return learned.length
