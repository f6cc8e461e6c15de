"""Multi-head attention (Vaswani et al., arXiv:1706.03762); the K captions of an image share its keys and values.

On a CPU, explicit matrix products are faster than `scaled_dot_product_attention`; on a GPU, its fused kernel is.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Queries, keys and values of `width` channels, by default as wide as the input `dim`.

    A narrow width makes cross-attention small: SmallCap (arXiv:2209.15323) attends with 48 channels in a GPT-2 of 768.
    """

    def __init__(self, dim: int, heads: int, width: int | None = None, seen_dim: int | None = None) -> None:
        """Keys and values are of tokens with `seen_dim` channels, by default `dim`."""
        super().__init__()
        width, seen_dim = width or dim, seen_dim or dim
        assert width % heads == 0
        self.heads = heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(start, end) for start, end in ((dim, width), (seen_dim, width), (seen_dim, width), (width, dim))
        )

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # .. S D -> .. H S d

    def project(self, x: Float[Tensor, "*B S D"]) -> tuple[Tensor, Tensor, Tensor]:
        """The queries, keys and values of tokens, each (.. H S d)."""
        return self._split(self.query(x)), *self.keys_values(x)

    def keys_values(self, x: Float[Tensor, "*B N D"]) -> tuple[Float[Tensor, "*B H N d"], Float[Tensor, "*B H N d"]]:
        """The keys and values of tokens."""
        return self._split(self.key(x)), self._split(self.value(x))

    def over_image(
        self,
        x: Float[Tensor, "B K S D"],
        keys: Float[Tensor, "B H N d"],
        values: Float[Tensor, "B H N d"],
        mask: Bool[Tensor, "B N"],
        maps: bool,
        probe: Float[Tensor, "B K H S N"] | None = None,
    ) -> tuple[Float[Tensor, "B K S D"], Tensor]:
        """Cross-attention: words look at visual tokens whose `mask` is True. Returns weights (B K H S N) if `maps`.

        `probe`, if any, is added to the weights; see `Decoder.forward`.
        """
        captions = x.shape[1]
        query = self._split(self.query(x.flatten(1, 2)))  # B K S D -> B H KS d: one product for all captions
        added = None if probe is None else probe.transpose(1, 2).flatten(2, 3)  # B K H S N -> B H KS N
        out, weights = attend(query, keys, values, mask[:, None, None], maps, added)
        out = self.out(out.transpose(1, 2).flatten(2)).unflatten(1, (captions, -1))
        return out, weights.unflatten(2, (captions, -1)).transpose(1, 2) if maps else weights

    def over_words(
        self,
        x: Float[Tensor, "B K S D"],
        past: tuple[Float[Tensor, "B K H L d"], Float[Tensor, "B K H L d"]],
        image: tuple[Float[Tensor, "B H P d"], Float[Tensor, "B H P d"], Bool[Tensor, "B P"]] | None,
        maps: bool,
        probe: Float[Tensor, "B K H S P"] | None = None,
    ) -> tuple[Float[Tensor, "B K S D"], Tensor, tuple[Float[Tensor, "B K H M d"], Float[Tensor, "B K H M d"]]]:
        """Causal self-attention: each word looks at itself, at the words before it, and at the image if it is a prefix.

        The mask of 2 new words after 1 past word is [[1, 1, 0], [1, 1, 1]]. `past` is keys and values of past words.
        `image` is keys, values and mask of the prefix, shared by an image's captions. Returns the output, the weights
        over the prefix (B K H S P; empty unless `maps`), and the past with the S new words.
        """
        query, *own = self.project(x)
        keys, values = (torch.cat([old, new], dim=-2) for old, new in zip(past, own, strict=True))
        steps, length = query.shape[-2], keys.shape[-2]
        causal = torch.ones(steps, length, dtype=torch.bool, device=x.device)
        if steps > 1:  # for an exported graph, which reads one word, `tril` would fix the length
            causal = causal.tril(length - steps)
        if image is None:
            out, weights = attend(query, keys, values, causal, False)
        else:
            out, weights = _with_prefix(query, (keys, values), causal, image, probe)
        return self.out(out.transpose(-3, -2).flatten(-2)), weights if maps else x.new_empty(0), (keys, values)


class FusedAttention(Attention):
    """Self-attention whose queries, keys and values come from one linear map, as GPT-2 has them."""

    def __init__(self, dim: int, heads: int) -> None:
        nn.Module.__init__(self)
        assert dim % heads == 0
        self.heads = heads
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def project(self, x: Float[Tensor, "*B S D"]) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = (self._split(part) for part in self.qkv(x).chunk(3, dim=-1))
        return query, key, value


def attend(
    query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, maps: bool, probe: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """softmax(q k / sqrt(d)) v over the keys whose mask is True. The weights are empty on a GPU unless `maps`."""
    if query.is_cuda and not maps:
        return fused(query, keys, values, mask), query.new_empty(0)
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-2, -1)
    weights = masked(scores, mask).softmax(-1)
    if probe is not None:
        weights = weights + probe
    return weights @ values, weights


def masked(scores: Tensor, mask: Tensor) -> Tensor:
    """-inf for keys whose mask is False. For speed, nothing is written if all are True.

    A GPU would wait to know, and a graph that is traced cannot ask.
    """
    asks = not mask.is_cuda and not torch.compiler.is_compiling()
    return scores if asks and mask.all() else scores.masked_fill(~mask, float("-inf"))


def fused(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """`attend` in one GPU kernel. The kernel takes four axes, so B and K of words (B K H S d) become one axis."""
    batch = query.shape[:-3]
    if len(batch) > 1 and mask.ndim > 2:
        mask = mask.expand(*batch, *mask.shape[-3:]).flatten(0, -4)
    query, keys, values = (x.flatten(0, -4) for x in (query, keys, values))
    return scaled_dot_product_attention(query, keys, values, attn_mask=mask).unflatten(0, batch)


def _with_prefix(
    query: Tensor,
    own: tuple[Tensor, Tensor],
    causal: Tensor,
    image: tuple[Tensor, Tensor, Tensor],
    probe: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """One softmax over prefix and words. The prefix is not copied for every caption."""
    keys, values, mask = image
    captions, prefix = query.shape[1], keys.shape[-2]
    query = query * query.shape[-1] ** -0.5
    folded = query.transpose(1, 2).flatten(2, 3)  # B K H S d -> B H KS d
    seen = masked(folded @ keys.transpose(-2, -1), mask[:, None, None])
    seen = seen.unflatten(2, (captions, -1)).transpose(1, 2)
    written = masked(query @ own[0].transpose(-2, -1), causal)
    weights = torch.cat([seen, written], dim=-1).softmax(-1)
    seen, written = weights[..., :prefix], weights[..., prefix:]
    if probe is not None:
        seen = seen + probe
    from_image = seen.transpose(1, 2).flatten(2, 3) @ values
    return from_image.unflatten(2, (captions, -1)).transpose(1, 2) + written @ own[1], seen
