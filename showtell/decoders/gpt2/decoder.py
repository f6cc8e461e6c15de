"""GPT-2 (Radford et al. 2019) that sees the image through cross-attention, of any size, with or without its weights.

Layer by layer it computes what transformers' GPT2LMHeadModel with `add_cross_attention` computes. Its maps are
`nn.Linear`: the files store them transposed, and they are turned once, when they are read (`weights.py`). The output
map of new cross-attention starts at zero, so that before training GPT-2 says what it says without an image.
"""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.decoder import Decoder, Memory, Output, State, check_length
from showtell.decoders.gpt2.weights import RANDOM, SMALL, Sizes, fill, read
from showtell.decoders.language import Language, language_of
from showtell.features import Features
from showtell.layers.attention import Attention, FusedAttention
from showtell.layers.blocks import Block, Blocks, begin_with, remember
from showtell.layers.dropout import Dropout
from showtell.layers.visual import Projection
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Count, Share

OFFICIAL = "openai-community/gpt2"
STD = 0.02  # of every weight that GPT-2 draws


class GPT2(Decoder):
    """`weights` names them: a file, a folder or a Hub id of GPT-2, or `random` for weights drawn at random.

    With the default `weights` and another number of layers than 12, the weights are drawn too.
    Sizes that are not given come from the weights; for random ones they are GPT-2 small's. `cross_layers` are the
    layers with cross-attention, counted from 0 (all if null); `cross_dim` is its width, `dim` if null. SmallCap
    (arXiv:2209.15323) has `cross_dim: 48` and no `map`: keys and values come straight from the visual tokens.
    """

    max_length: int

    def __init__(
        self,
        feature_dim: int,
        vocabulary_size: int,
        *,
        weights: str = OFFICIAL,
        sees: Literal["tokens", "pooled"] = "tokens",
        map: Literal["linear", "none"] = "linear",
        cross_layers: tuple[int, ...] | None = None,
        cross_dim: Count | None = None,
        dim: Count | None = None,
        layers: Count | None = None,
        heads: Count | None = None,
        max_length: Count | None = None,
        dropout: Share = 0.0,
        feature_dropout: Share = 0.0,
    ) -> None:
        super().__init__()
        given = {"dim": dim, "layers": layers, "heads": heads, "max_length": max_length}
        if weights == OFFICIAL and layers not in (None, SMALL["layers"]):
            weights = RANDOM  # nobody has pretrained weights of such a GPT-2
        source = None if weights == RANDOM else read(weights)
        sizes = Sizes.of(given, source)
        crossed = _crossed(cross_layers, sizes.layers)
        cross_width = cross_dim or sizes.dim
        if cross_width % sizes.heads:
            raise RecipeError(key="decoder.cross_dim", value=cross_dim, takes=f"multiples of {sizes.heads} heads")
        self.sees, self.max_length, self.vocabulary_size = sees, sizes.max_length, vocabulary_size
        self.attends, self.attention_layers = sees == "tokens", len(crossed)
        self.reloadable = source is not None
        mapped = map == "linear"
        self.visual = Projection(feature_dim, sizes.dim if mapped else None, feature_dropout)
        seen_dim = sizes.dim if mapped else feature_dim
        self.words = nn.Embedding(vocabulary_size if source is None else source.rows, sizes.dim)
        self.positions = nn.Embedding(sizes.max_length, sizes.dim)
        self.dropout = Dropout(dropout)
        self.blocks = Blocks()
        for i in range(sizes.layers):
            cross = Attention(sizes.dim, sizes.heads, cross_width, seen_dim) if i in crossed else None
            own, activation = FusedAttention(sizes.dim, sizes.heads), nn.GELU(approximate="tanh")
            self.blocks.append(Block(own, cross, sizes.dim, 4 * sizes.dim, dropout, activation))
        self.norm = nn.LayerNorm(sizes.dim)
        self._draw(sizes.layers)
        if source is not None:
            fill(self, source, vocabulary_size)

    def _draw(self, layers: int) -> None:
        """GPT-2's own initialisation; new cross-attention begins with an output of zero."""
        for part in (self.words, self.positions, self.blocks):
            part.apply(_initialise)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("self_attention.out.weight", "mlp.3.weight")):
                nn.init.normal_(weight, std=STD * (2 * layers) ** -0.5)
            if name.endswith("cross_attention.out.weight"):
                nn.init.zeros_(weight)

    @property
    def pretrained(self) -> list[nn.Module]:
        parts: list[nn.Module] = [self.words, self.positions, self.norm]
        for block in self.blocks:
            parts += [block.self_norm, block.self_attention, block.mlp_norm, block.mlp]
        return parts

    @property
    def language(self) -> Language:
        return language_of(self.blocks, self.words, new=("visual",))

    def fit(self, features: Features) -> None:
        vectors = features.tokens[features.mask] if self.sees == "tokens" else features.pooled
        self.visual.standardise.fit(vectors)

    def start(self, features: Features) -> tuple[Memory, State]:
        if self.sees == "tokens":
            visual, mask = self.visual(features.tokens), features.mask
        else:
            visual, mask = self.visual(features.pooled)[:, None], features.mask.new_ones(features.mask.shape[0], 1)
        memory: Memory = {"cross_mask": mask}
        for i, block in enumerate(self.blocks):
            if block.cross_attention is not None:
                remember(memory, "cross", i, *block.cross_attention.keys_values(visual))
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
        x, grown, maps = self.blocks.run(x, memory, state, attention and self.attends, probe)
        grown["position"] = position[..., -1] + 1
        logits = self.norm(x) @ self.words.weight[: self.vocabulary_size].T
        return Output(logits, grown, torch.cat(maps, dim=2).transpose(2, 3) if maps else None)


def _crossed(given: tuple[int, ...] | None, layers: int) -> set[int]:
    """The numbers of the layers with cross-attention."""
    if given is None:
        return set(range(layers))
    if not given or not set(given) <= set(range(layers)):
        raise RecipeError(
            key="decoder.cross_layers",
            value=list(given),
            takes=f"numbers from 0 to {layers - 1}, at least one, or null",
        )
    return set(given)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
