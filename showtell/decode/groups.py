"""Groups of beams that search apart, each kept from saying what the groups before it say; one group is beam search."""

import torch
from torch import Tensor

from showtell.decode.search import Beams, Continuations, going_on


class Groups:
    """Hamming diversity: a word costs `penalty` for each beam of an earlier group that goes on with it at that step.

    What a beam has paid stays in its rank, as in transformers; its log probability remains the model's own.
    """

    first = slice(None)

    def __init__(self, groups: int, penalty: float, eos: int) -> None:
        self.groups, self.penalty, self.eos = groups, penalty, eos

    def extend(self, live: Beams, log_probs: Tensor, length: int, last: bool, done: Tensor) -> Continuations:
        num_beams = live.ranks.shape[-1]
        said = log_probs.new_zeros(len(log_probs), log_probs.shape[-1])  # B V, by how many beams
        found = []
        for group in range(self.groups):
            cost = self.penalty * said[:, None] if group and self.penalty else None
            own = _best(live.ranks[:, group], live.written.log_probs[:, group], log_probs[:, group], cost)
            found.append(own._replace(parents=own.parents + group * num_beams))
            if self.penalty and group + 1 < self.groups:
                ranks, order = going_on(own, own.words == self.eos, num_beams)
                counted = (ranks > -torch.inf) & ~done[:, group, None]  # a done group is silent
                said.scatter_add_(1, own.words.gather(1, order), counted.to(said.dtype))
        return Continuations(*(torch.stack(same, dim=1) for same in zip(*found, strict=True)))

    def settled(self, worst: Tensor, reach: Tensor) -> Tensor:
        return worst >= reach

    def order(self, ranks: Tensor) -> Tensor:
        return ranks.flatten(1).argsort(dim=1, descending=True, stable=True)


def _best(ranks: Tensor, sums: Tensor, log_probs: Tensor, cost: Tensor | None) -> Continuations:
    """The best 2K of all continuations of beams with these ranks and log probabilities (B K), by log_probs (B K V).

    At most K of them end, one a beam, so at least K go on.
    """
    totals = ranks[..., None] + log_probs if cost is None else ranks[..., None] + (log_probs - cost)
    found, order = totals.flatten(1).topk(2 * ranks.shape[1], dim=1)  # B K V -> B K*V -> B 2K
    parents, words = order // log_probs.shape[-1], order % log_probs.shape[-1]
    own = sums.gather(1, parents) + log_probs.flatten(1).gather(1, order)
    return Continuations(words, parents, own, found)
