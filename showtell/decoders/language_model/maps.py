"""Visual features -> the vectors that a language model reads in front of the words: three maps.

`linear` and `mlp` (LLaVA, arXiv:2304.08485) make one vector of each visual token. `transformer` (ClipCap,
arXiv:2111.09734) makes `length` vectors of all of them: learned queries look at the visual tokens in some layers.
Of one pooled vector `linear` and `mlp` make `length` vectors at once.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from showtell.layers.attention import Attention
from showtell.layers.blocks import Block
from showtell.layers.visual import Standardise, drop_channels

Mapped = tuple[Float[Tensor, "B P W"], Bool[Tensor, "B P"]]


class Map(nn.Module):
    """Standardised features -> vectors and their mask. A map's vectors begin as loud as words' embeddings."""

    def __init__(self, feature_dim: int, dropout: float) -> None:
        super().__init__()
        self.standardise, self.dropout = Standardise(feature_dim), dropout

    def prepared(self, x: Float[Tensor, "B *N D"]) -> Tensor:
        x = self.standardise(x)
        return drop_channels([x], self.dropout)[0] if self.training and self.dropout else x


class Each(Map):
    """One vector for each visual token, or `length` for the pooled vector."""

    def __init__(self, feature_dim: int, dim: int, length: int, hidden: int | None, dropout: float, std: float) -> None:
        super().__init__(feature_dim, dropout)
        self.length = length
        last = nn.Linear(hidden or feature_dim, dim * length)
        nn.init.normal_(last.weight, std=std * last.in_features**-0.5)
        nn.init.zeros_(last.bias)
        self.network = last if hidden is None else nn.Sequential(nn.Linear(feature_dim, hidden), nn.GELU(), last)

    def forward(self, x: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Mapped:
        vectors = self.network(self.prepared(x))
        return vectors.unflatten(-1, (self.length, -1)).flatten(1, 2), mask.repeat_interleave(self.length, dim=1)


class Queries(Map):
    """`length` learned queries; in each layer they look at each other and at the visual tokens."""

    def __init__(
        self, feature_dim: int, dim: int, length: int, layers: int, heads: int, dropout: float, std: float
    ) -> None:
        super().__init__(feature_dim, dropout)
        self.visual = nn.Linear(feature_dim, dim)
        self.queries = nn.Parameter(torch.randn(length, dim))
        self.blocks = nn.ModuleList(
            Block(Attention(dim, heads), Attention(dim, heads), dim, 2 * dim, 0.0) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        nn.init.constant_(self.norm.weight, std)

    def forward(self, x: Float[Tensor, "B N D"], mask: Bool[Tensor, "B N"]) -> Mapped:
        seen = self.visual(self.prepared(x))
        queries = self.queries.expand(len(x), -1, -1)
        real = mask.new_ones(queries.shape[:2])
        for block in self.blocks:
            queries = _both_ways(block, queries, real, seen, mask)  # type: ignore[arg-type]
        return self.norm(queries), real


def _both_ways(block: Block, x: Tensor, real: Tensor, seen: Tensor, mask: Tensor) -> Tensor:
    """One block whose tokens all see each other, not only those before them."""
    assert block.cross_attention is not None and block.cross_norm is not None
    own = block.self_norm(x)
    x = x + block.self_attention.over_image(own[:, None], *block.self_attention.keys_values(own), real, False)[0][:, 0]
    cross = block.cross_norm(x)[:, None]
    x = x + block.cross_attention.over_image(cross, *block.cross_attention.keys_values(seen), mask, False)[0][:, 0]
    return x + block.mlp(block.mlp_norm(x))


def linear(feature_dim: int, dim: int, length: int, hidden: int, layers: int, dropout: float, std: float) -> Map:
    return Each(feature_dim, dim, length, None, dropout, std)


def mlp(feature_dim: int, dim: int, length: int, hidden: int, layers: int, dropout: float, std: float) -> Map:
    return Each(feature_dim, dim, length, hidden, dropout, std)


def transformer(feature_dim: int, dim: int, length: int, hidden: int, layers: int, dropout: float, std: float) -> Map:
    heads = next(heads for heads in (8, 6, 4, 3, 2, 1) if dim % heads == 0)
    return Queries(feature_dim, dim, length, layers, heads, dropout, std)


MAPS: dict[str, Callable[[int, int, int, int, int, float, float], Map]] = {
    "linear": linear,
    "mlp": mlp,
    "transformer": transformer,
}
