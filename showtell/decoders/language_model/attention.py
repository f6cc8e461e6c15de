"""The attention that a language model of transformers runs with here: words see a prefix that all captions share.

transformers lets a model's attention be any registered function, and hands extra keyword arguments of a forward pass on
to it. So the prefix's keys and values are computed once per photo, and never copied to its captions.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from showtell.layers.attention import masked

NAME = "showtell"


@dataclass
class Prefix:
    """What words see in front of them, for one forward pass.

    `captions` is K: rows of words are B K, those of the prefix B. Q heads of queries share H heads of keys. `own` masks
    the tokens of the pass itself, if some are padding. The weights over the prefix are collected if `maps`, after
    `probes` were added to them, layer by layer.
    """

    keys: list[Float[Tensor, "B H P d"]]  # of each layer
    values: list[Float[Tensor, "B H P d"]]
    mask: Bool[Tensor, "B P"]
    captions: int = 1
    own: Bool[Tensor, "B S"] | None = None
    maps: bool = False
    weights: list[Float[Tensor, "B K Q S P"]] = field(default_factory=list)
    probes: list[Float[Tensor, "B K Q S P"]] | None = None


def attend(
    module: Any,
    query: Float[Tensor, "M H S d"],
    key: Float[Tensor, "M G L d"],
    value: Float[Tensor, "M G L d"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix: Prefix | None = None,
    **_: Any,
) -> tuple[Float[Tensor, "M S H d"], None]:
    """Causal attention over the prefix and the words so far; H query heads share G heads of keys (H = G without GQA).

    The mask of 2 new words after 1 past word is [[1, 1, 0], [1, 1, 1]].
    """
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    groups, steps, length = key.shape[1], query.shape[2], key.shape[2]
    query = query.unflatten(1, (groups, -1)) * scaling  # M H S d -> M G h S d
    mask = torch.ones(steps, length, dtype=torch.bool, device=query.device).tril(length - steps)
    if prefix is not None and prefix.own is not None:  # padding sees itself, because a softmax of nothing is NaN
        mask = (mask & prefix.own[:, None, None, None, :]) | torch.eye(steps, dtype=torch.bool, device=mask.device)
    scores = masked(query @ key[:, :, None].transpose(-2, -1), mask)
    if prefix is None or not prefix.mask.shape[1]:
        out = scores.softmax(-1) @ value[:, :, None]
        return out.flatten(1, 2).transpose(1, 2), None
    k, layer = prefix.captions, module.layer_idx
    keys, values = prefix.keys[layer], prefix.values[layer]
    # M G h S d -> B G Khs d: one product serves all captions of an image.
    folded = query.unflatten(0, (-1, k)).transpose(1, 2).flatten(2, 4)
    before = masked(folded @ keys.transpose(-2, -1), prefix.mask[:, None, None])
    shape = (k, query.shape[2], steps)
    before = before.unflatten(2, shape).transpose(1, 2).flatten(0, 1)  # M G h S P
    weights = torch.cat([before, scores], dim=-1).softmax(-1)
    count = keys.shape[2]
    over_prefix = weights[..., :count].unflatten(0, (-1, k))  # B K G h S P
    if prefix.probes is not None:
        over_prefix = over_prefix + prefix.probes[layer].unflatten(2, (groups, -1))
    if prefix.maps:
        prefix.weights.append(over_prefix.flatten(2, 3))
    folded = over_prefix.transpose(1, 2).flatten(2, 4)
    seen = (folded @ values).unflatten(2, shape).transpose(1, 2).flatten(0, 1)
    out = seen + weights[..., count:] @ value[:, :, None]
    return out.flatten(1, 2).transpose(1, 2), None


def register() -> None:
    """Make `attend` known to transformers, with no mask of theirs: it masks by itself."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, lambda *args, **kwargs: None)
