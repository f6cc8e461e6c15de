"""Groups of beams that search separately; each pays for words that earlier groups chose. One group is beam search."""

import torch
from torch import Tensor

from showtell.decode.search import Beams, Continuations, going_on


class Groups:
    """Hamming diversity: a word costs `penalty` for each beam of an earlier group that takes it at the same step.

    With penalty 0.5, if two beams of group 0 take `dog` as word 2, `dog` as word 2 costs group 1 1.0. A beam's rank
    keeps the costs of all its words, as in transformers. Its log probability stays the model's.
    """

    first = slice(None)

    def __init__(self, groups: int, penalty: float, eos: int) -> None:
        self.groups, self.penalty, self.eos = groups, penalty, eos

    def extend(self, live: Beams, log_probs: Tensor, length: int, last: bool, done: Tensor) -> Continuations:
        num_beams = live.ranks.shape[-1]
        chosen = log_probs.new_zeros(len(log_probs), log_probs.shape[-1])  # B V, how many beams took each word
        groups = []
        for group in range(self.groups):
            cost = self.penalty * chosen[:, None] if group and self.penalty else None
            own = _best(live.ranks[:, group], live.written.log_probs[:, group], log_probs[:, group], cost)
            groups.append(own._replace(parents=own.parents + group * num_beams))
            if self.penalty and group + 1 < self.groups:
                ranks, order = going_on(own, own.words == self.eos, num_beams)
                counted = (ranks > -torch.inf) & ~done[:, group, None]  # a done group takes no words
                chosen.scatter_add_(1, own.words.gather(1, order), counted.to(chosen.dtype))
        return Continuations(*(torch.stack(same, dim=1) for same in zip(*groups, strict=True)))

    def settled(self, worst: Tensor, reach: Tensor) -> Tensor:
        return worst >= reach

    def order(self, ranks: Tensor) -> Tensor:
        return ranks.flatten(1).argsort(dim=1, descending=True, stable=True)


def _best(ranks: Tensor, sums: Tensor, log_probs: Tensor, cost: Tensor | None) -> Continuations:
    """The best 2K continuations of K beams with these ranks and log probabilities (B K), from log_probs (B K V).

    Each beam can end in one way only (with eos), so at most K of the 2K end, and at least K go on.
    """
    totals = ranks[..., None] + log_probs if cost is None else ranks[..., None] + (log_probs - cost)
    best, order = totals.flatten(1).topk(2 * ranks.shape[1], dim=1)  # B K V -> B K*V -> B 2K
    parents, words = order // log_probs.shape[-1], order % log_probs.shape[-1]
    own = sums.gather(1, parents) + log_probs.flatten(1).gather(1, order)
    return Continuations(words, parents, own, best)
