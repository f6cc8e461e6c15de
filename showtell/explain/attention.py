"""Attention: how much each word looked at each visual token, in one layer and head or in the mean of all.

Decoding returns no attention. So the decoder reads the finished caption once more, now with attention; this gives exact
maps for beam search and sampling too. The map of a word comes from the step that chose it, which reads the word before:
in `bos a dog`, the map of `dog` is the attention of the step that reads `a`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from showtell.explain.tokens import Member, Tokens
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count


def attention(tokens: Tokens, layer: int | None = None, head: int | None = None) -> Float[Tensor, "T N"]:
    """The map of each word; each adds up to 1. `None` is the mean of all layers, or of all heads.

    Layers and heads are counted from 0, or from -1, the last one. Of an ensemble it is the mean of the members.
    """
    with torch.no_grad():
        maps = [_of_member(tokens, member, layer, head) for member in tokens.attending]
    # A decoder with prefix conditioning attends to words too, so a map may sum to less than 1.
    maps = [each / each.sum(1, keepdim=True).clamp(min=1e-12) for each in maps]
    return torch.stack(maps).mean(0).cpu()


def _of_member(tokens: Tokens, member: Member, layer: int | None, head: int | None) -> Float[Tensor, "T N"]:
    weights = look(tokens, member)[0, 0]  # S H N
    layers = member.decoder.attention_layers
    weights = weights.unflatten(1, (layers, -1))  # S H N -> S layers heads N
    for axis, number, what in ((1, layer, "layer"), (1, head, "head")):
        if number is None:
            weights = weights.mean(axis)
        else:
            _check(number, weights.shape[axis], what)
            weights = weights.select(axis, number)
    return of_words(tokens, weights)


def look(tokens: Tokens, member: Member) -> Float[Tensor, "1 1 S H N"]:
    """The attention of all steps."""
    memory, state = member.decoder.start(member.features)
    found = member.decoder.forward(memory, state, tokens.ids[None, None, :-1], attention=True).attention
    assert found is not None
    return found


def of_words(tokens: Tokens, steps: Float[Tensor, "S N"]) -> Float[Tensor, "T N"]:
    """The maps of steps -> the mean map of each word's ids, over real visual tokens."""
    own = steps[tokens.before : tokens.before + tokens.steps].float()[:, tokens.real]
    if not tokens.words:
        return own
    return torch.stack([own[list(word.ids)].mean(0) for word in tokens.words])


def _check(number: int, have: int, what: str) -> None:
    if not -have <= number < have:
        takes = f"0 to {have - 1}, or -1 for the last: this model has {count(have, what)}"
        raise InputError(key=f"--{what}", value=number, takes=takes)


def manner(layer: int | None, head: int | None) -> str:
    """In words.

    >>> manner(None, None), manner(-1, None), manner(2, 0)
    ('attention, mean of all layers and heads', 'attention of the last layer, mean of heads', \
'attention of layer 2, head 0')
    """
    if layer is None and head is None:
        return "attention, mean of all layers and heads"
    where = "all layers" if layer is None else "the last layer" if layer == -1 else f"layer {layer}"
    heads = "mean of heads" if head is None else "last head" if head == -1 else f"head {head}"
    return f"attention of {where}, {heads}"
