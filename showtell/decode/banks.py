"""Words that must be said: beams are kept apart by how many ids of them are left to say (arXiv:1704.07138).

With `must=[dog, "red car"]`, bank 3 has the beams that have said nothing of it, bank 1 for instance those with `dog`
and `red` as the last word, bank 0 those with all of it. A half-said phrase counts as long as its words are the last.
Every beam offers what its own bank, and all others, may go on with: nothing has to be said at any one place.
"""

import torch
from torch import Tensor

from showtell.decode.limits import without_prompt
from showtell.decode.search import Beams, Continuations
from showtell.decode.spelling import Forced, Ids
from showtell.tokenizers.captions import Special


class Banks:
    """A rule of `search`: group g has the beams that must still say g ids."""

    def __init__(self, forced: Forced, special: Special, device: torch.device) -> None:
        self.special, self.bos, self.phrases = special, special.begin[0], forced.phrases
        inner = [[way for way in ways if way[0] != self.bos] for ways in forced.phrases]
        assert all(inner), "every phrase can stand within a caption"
        self.whole = [min(map(len, ways)) for ways in inner]  # ids to say of each phrase where none is said
        self.groups = 1 + sum(self.whole)
        every = {word for ways in forced.phrases for way in ways for word in way if word != self.bos}
        self.words = torch.tensor(sorted(every), device=device)  # U
        self.joining = torch.tensor(forced.joining, dtype=torch.long, device=device)
        self.first = sum(min(_left(way, (self.bos,)) for way in ways) for ways in forced.phrases)

    def extend(self, live: Beams, log_probs: Tensor, length: int, last: bool, done: Tensor) -> Continuations:
        words, gained = self._offers(log_probs.flatten(1, 2), 2 * live.ranks.shape[-1])  # B G*K M
        said = without_prompt(live.written.tokens[..., :length].flatten(1, 2), len(self.special.begin))
        banks = self._left(said, words, last)
        ranks = (live.ranks.flatten(1)[..., None] + gained).flatten(1)  # B G*K*M
        each = torch.arange(self.groups, device=ranks.device)[:, None]
        apart = ranks[:, None].masked_fill(banks.flatten(1)[:, None] != each, -torch.inf)
        ranks, order = apart.topk(2 * live.ranks.shape[-1], dim=-1)  # B G 2K
        chosen, parents = words.flatten(1).gather(1, order.flatten(1)), order // words.shape[-1]
        sums = (live.written.log_probs.flatten(1)[..., None] + gained).flatten(1).gather(1, order.flatten(1))
        return Continuations(chosen.view_as(order), parents, sums.view_as(ranks), ranks)

    def settled(self, worst: Tensor, reach: Tensor) -> Tensor:
        """All at once: when no beam of any bank can beat what says everything."""
        return (worst[:, :1] >= reach.amax(dim=1, keepdim=True)).expand_as(worst)

    def order(self, ranks: Tensor) -> Tensor:
        """The captions that say most come first."""
        return (ranks.flatten(1) == -torch.inf).int().argsort(dim=1, stable=True)

    def _offers(self, log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """For each beam, words (B N M) and their log probabilities, by log_probs (B N V).

        They are all words of the phrases, and the likeliest others, those that join the word before them apart: of all
        words that lead to the same bank, as many as any bank could take.
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

    def _left(self, tokens: Tensor, words: Tensor, last: bool) -> Tensor:
        """How many ids are left (B N M) when words (B N M) follow tokens (B N L)."""
        ends = (words == self.special.eos) | last
        joins, joined = torch.isin(words, self.joining), torch.isin(tokens, self.joining)
        total = torch.zeros_like(words)
        for ways, whole in zip(self.phrases, self.whole, strict=True):
            left = torch.full_like(words, whole)
            said = torch.zeros_like(ends)
            for way in ways:
                before, now = _said(tokens, joined, way)
                said |= before[..., None] | (now[..., None] & ~joins)
                for count in range(1 + (way[0] == self.bos), len(way) + 1):
                    going = _ends_with(tokens, way[: count - 1])[..., None] & (words == way[count - 1])
                    going &= ~ends if count < len(way) else True  # a half-said phrase that ends is not said
                    left = torch.where(going, left.clamp(max=len(way) - count), left)
            total += left.masked_fill(said, 0)
        return total


def _left(way: Ids, tokens: Ids) -> int:
    """The ids of a way that are left where it begins with these tokens or not at all."""
    if way[: len(tokens)] == tokens:
        return len(way) - len(tokens)
    return len(way)


def _ends_with(tokens: Tensor, ids: Ids) -> Tensor:
    """Whether the last of tokens (B N L) are ids: B N."""
    count = len(ids)
    if count > tokens.shape[-1]:
        return torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return (tokens[..., tokens.shape[-1] - count :] == torch.tensor(ids, dtype=torch.long, device=tokens.device)).all(
        -1
    )


def _said(tokens: Tensor, joined: Tensor, way: Ids) -> tuple[Tensor, Tensor]:
    """Whether tokens (B N L) hold the way as words of its own, and whether they end with it: then the next id decides.

    joined (B N L) is True for ids that go on with the word before them: `dog` is not said where `s` follows it.
    """
    size = len(way)
    if size > tokens.shape[-1]:
        no = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return no, no
    found = (tokens.unfold(-1, size, 1) == torch.tensor(way, device=tokens.device)).all(-1)  # B N L-size+1
    return (found[..., :-1] & ~joined[..., size:]).any(-1), found[..., -1]
