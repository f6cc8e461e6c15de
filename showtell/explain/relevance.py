"""Relevance: attention x gradient, the positive part, the mean of heads, the sum of layers.

Attention says how much a word looked at a place; the gradient says whether looking there made the word likelier. If a
head gives a place the weight .3, and its gradient is 2, the place counts .6; with a gradient of -2 it counts 0. It is
Chefer et al. (arXiv:2103.15679) without its products of layers, which cross-attention over fixed visual tokens does not
need. A word's map comes from the steps that chose its ids.

Unusual: the decoder reads as many copies of the caption as it has words, and each copy is asked for one word. So one
backward pass gives the gradients of all words.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from showtell.explain.attention import look
from showtell.explain.tokens import Member, Tokens

AT_ONCE = 64  # copies of the caption in a batch


def relevance(tokens: Tokens) -> Float[Tensor, "T N"]:
    """The map of each word; each adds up to 1, or is 0 everywhere if no place made the word likelier.

    An ensemble writes a word with the mean of its members' probabilities. So members that give the word a high
    probability count more: with .6 and .2, the first one's map counts .75 and the other's .25.
    """
    if not tokens.words:
        return torch.zeros(0, len(tokens.boxes))
    maps, log_probs = zip(*(_of_member(tokens, member) for member in tokens.attending), strict=True)
    shares = torch.stack(log_probs).softmax(0)  # members T
    total = (torch.stack(maps) * shares[..., None]).sum(0)
    return (total / total.sum(1, keepdim=True).clamp(min=1e-12)).cpu()


def _of_member(tokens: Tokens, member: Member) -> tuple[Float[Tensor, "T N"], Float[Tensor, " T"]]:
    """The maps, and the log-probability that the member gives each word."""
    with torch.no_grad():
        weights = look(tokens, member)[0, 0]  # S H N
    gradients, log_probs = gradients_of(tokens, member, weights)
    maps = []
    for word, gradient in zip(tokens.words, gradients, strict=True):
        own = [tokens.before + place for place in word.ids]
        positive = (gradient[own] * weights[own]).clamp(min=0)  # ids H N
        maps.append(positive.sum(0).sum(0)[tokens.real])
    return torch.stack(maps).float(), log_probs


def gradients_of(
    tokens: Tokens, member: Member, weights: Float[Tensor, "S H N"]
) -> tuple[Float[Tensor, "T S H N"], Float[Tensor, " T"]]:
    """The gradient of each word's log-probability with respect to all weights, and these log-probabilities."""
    with torch.no_grad():
        memory, state = member.decoder.start(member.features)
    found: list[Tensor] = []
    likely: list[Tensor] = []
    for numbers in torch.arange(len(tokens.words), device=weights.device).split(AT_ONCE):
        probe = torch.zeros(1, len(numbers), *weights.shape, device=weights.device, requires_grad=True)
        ids = tokens.ids[:-1].expand(1, len(numbers), -1)
        with torch.enable_grad():
            copies = member.decoder.widen(state, len(numbers))
            logits = member.decoder.forward(memory, copies, ids, attention=True, probe=probe).logits[0]
            words = tokens.of_words(tokens.chosen(logits))  # copies T
            asked = words[torch.arange(len(numbers), device=words.device), numbers]
            found.append(torch.autograd.grad(asked.sum(), probe)[0][0])
        likely.append(asked.detach())
    return torch.cat(found), torch.cat(likely)
