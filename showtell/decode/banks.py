"""Grid beam search (Hokamp and Liu, arXiv:1704.07138): beams are grouped by how many `must` ids they still miss.

With `must=[dog, "red car"]` and one id a word, bank 3 holds the beams that have none of these words, such as `a man`;
bank 1 holds those that miss one id, such as `a dog in a red`; bank 0 holds those that have all. A phrase that is half
written counts only while its words are the last ones: `a dog in a red box` is in bank 2. A beam may write any word
next, so `must` words may come at any place and in any order. Its new bank depends on that word.
"""

import torch
from torch import Tensor

from showtell.decode.limits import without_prompt
from showtell.decode.search import Beams, Continuations
from showtell.decode.spelling import Forced, Ids
from showtell.tokenizers.captions import Special


class Banks:
    """A rule of `search`: group g holds the beams that still miss g ids."""

    def __init__(self, forced: Forced, special: Special, device: torch.device) -> None:
        self.special, self.bos, self.phrases = special, special.begin[0], forced.phrases
        inner = [[way for way in ways if way[0] != self.bos] for ways in forced.phrases]
        assert all(inner), "every phrase can stand within a caption"
        self.whole = [min(map(len, ways)) for ways in inner]  # how many ids each phrase needs in full
        self.groups = 1 + sum(self.whole)
        every = {word for ways in forced.phrases for way in ways for word in way if word != self.bos}
        self.words = torch.tensor(sorted(every), device=device)  # U
        self.joining = torch.tensor(forced.joining, dtype=torch.long, device=device)
        self.first = sum(min(_missing(way, (self.bos,)) for way in ways) for ways in forced.phrases)

    def extend(self, live: Beams, log_probs: Tensor, length: int, last: bool, done: Tensor) -> Continuations:
        words, gained = self._offers(log_probs.flatten(1, 2), 2 * live.ranks.shape[-1])  # B G*K M
        before = without_prompt(live.written.tokens[..., :length].flatten(1, 2), len(self.special.begin))
        banks = self._missing(before, words, last)
        ranks = (live.ranks.flatten(1)[..., None] + gained).flatten(1)  # B G*K*M
        each = torch.arange(self.groups, device=ranks.device)[:, None]
        apart = ranks[:, None].masked_fill(banks.flatten(1)[:, None] != each, -torch.inf)
        ranks, order = apart.topk(2 * live.ranks.shape[-1], dim=-1)  # B G 2K
        chosen, parents = words.flatten(1).gather(1, order.flatten(1)), order // words.shape[-1]
        sums = (live.written.log_probs.flatten(1)[..., None] + gained).flatten(1).gather(1, order.flatten(1))
        return Continuations(chosen.view_as(order), parents, sums.view_as(ranks), ranks)

    def settled(self, worst: Tensor, reach: Tensor) -> Tensor:
        """All banks are done together: when no beam of any bank can beat the worst kept caption of bank 0."""
        return (worst[:, :1] >= reach.amax(dim=1, keepdim=True)).expand_as(worst)

    def order(self, ranks: Tensor) -> Tensor:
        """Captions that miss fewer ids come first, whatever their rank."""
        return (ranks.flatten(1) == -torch.inf).int().argsort(dim=1, stable=True)

    def _offers(self, log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """For each beam, the next words (B N M) to try and their log probabilities, from log_probs (B N V).

        They are all ids of `must`, the `count` likeliest joining ids, and the `count` likeliest other ids. All ids of
        one of the last two kinds lead to the same bank, which takes at most `count`: trying all V would change nothing.
        """
        forced = self.words.expand(*log_probs.shape[:2], -1)
        offers = [(forced, log_probs.gather(-1, forced))]
        others = log_probs.index_fill(-1, self.words, -torch.inf)
        for ids in (self.joining, None) if len(self.joining) else (None,):
            some = others if ids is None else torch.full_like(others, -torch.inf).index_copy(-1, ids, others[..., ids])
            gained, words = some.topk(min(count, some.shape[-1]), dim=-1)
            offers.append((words, gained))
            if ids is not None:
                others = others.index_fill(-1, ids, -torch.inf)
        words, gained = (torch.cat(same, dim=-1) for same in zip(*offers, strict=True))
        return words, gained

    def _missing(self, tokens: Tensor, words: Tensor, last: bool) -> Tensor:
        """How many `must` ids are still missing (B N M) if words (B N M) follow tokens (B N L)."""
        ends = (words == self.special.eos) | last
        joins, joined = torch.isin(words, self.joining), torch.isin(tokens, self.joining)
        total = torch.zeros_like(words)
        for ways, whole in zip(self.phrases, self.whole, strict=True):
            missing = torch.full_like(words, whole)
            complete = torch.zeros_like(ends)
            for way in ways:
                before, now = _holds(tokens, joined, way)
                complete |= before[..., None] | (now[..., None] & ~joins)
                for count in range(1 + (way[0] == self.bos), len(way) + 1):
                    going = _ends_with(tokens, way[: count - 1])[..., None] & (words == way[count - 1])
                    going &= ~ends if count < len(way) else True  # a caption that ends cannot finish the phrase
                    missing = torch.where(going, missing.clamp(max=len(way) - count), missing)
            total += missing.masked_fill(complete, 0)
        return total


def _missing(way: Ids, tokens: Ids) -> int:
    """How many ids of a way are missing: the rest if it begins with these tokens, otherwise all."""
    if way[: len(tokens)] == tokens:
        return len(way) - len(tokens)
    return len(way)


def _ends_with(tokens: Tensor, ids: Ids) -> Tensor:
    """Whether tokens (B N L) end with these ids: B N."""
    count = len(ids)
    if count > tokens.shape[-1]:
        return torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return (tokens[..., tokens.shape[-1] - count :] == torch.tensor(ids, dtype=torch.long, device=tokens.device)).all(
        -1
    )


def _holds(tokens: Tensor, joined: Tensor, way: Ids) -> tuple[Tensor, Tensor]:
    """Whether tokens (B N L) hold the way as whole words, and whether they end with it; then the next id decides.

    joined (B N L) is True for ids that continue the word before them: `dog` followed by `s` is `dogs`, not `dog`.
    """
    size = len(way)
    if size > tokens.shape[-1]:
        no = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return no, no
    matches = (tokens.unfold(-1, size, 1) == torch.tensor(way, device=tokens.device)).all(-1)  # B N L-size+1
    return (matches[..., :-1] & ~joined[..., size:]).any(-1), matches[..., -1]
