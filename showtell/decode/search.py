"""The loop of all beam searches: G groups of K beams per image, all images at once. A `Rule` defines the groups.

Each group follows transformers with `early_stopping="never"`: it is done only when no continuation of its beams can
beat its worst kept caption. Example without a length penalty: the worst kept caption has log_prob -4 and the best beam
-5. A log_prob only falls with more words, so the group is done.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from showtell.decode.decoded import Decoded, Written, assemble, enough_done
from showtell.decode.limits import Limits
from showtell.decoders.decoder import Decoder
from showtell.features import Seen, first


class Beams(NamedTuple):
    """Unfinished or finished captions, best first. A rank of -inf marks an empty place."""

    written: Written  # B G K
    ranks: Tensor  # B G K, the score that orders them

    def take(self, images: Tensor) -> "Beams":
        return Beams(self.written.take(images), self.ranks[images])


class Continuations(NamedTuple):
    """Beams with one more word, best first. At least K of each group do not end, unless the vocabulary is too small."""

    words: Tensor  # B G M
    parents: Tensor  # B G M, which of the image's G*K beams they continue
    log_probs: Tensor  # B G M, the model's log probability of the whole caption so far
    ranks: Tensor  # B G M, the score that orders them; -inf marks an empty place


class Rule(Protocol):
    """How the groups of a search influence each other."""

    groups: int

    @property
    def first(self) -> slice | int:
        """The groups that have a beam before the first word."""

    def extend(self, live: Beams, log_probs: Tensor, length: int, last: bool, done: Tensor) -> Continuations:
        """The best continuations of each group, from log_probs (B G K V) of the next word.

        Groups that are done (B G) keep no new captions.
        """

    def settled(self, worst: Tensor, reach: Tensor) -> Tensor:
        """Which groups (B G) are done, from the rank of their worst kept caption and the best rank they may reach."""

    def order(self, ranks: Tensor) -> Tensor:
        """The indices (B G*K) that sort an image's kept captions with these ranks (B G K), best first."""


def search(
    decoder: Decoder,
    features: Seen,
    limits: Limits,
    rule: Rule,
    *,
    num_beams: int,
    length_penalty: float,
    num_return_sequences: int,
) -> Decoded:
    """The best captions that the rule's groups keep; `num_beams` is K, the beams of one group."""
    with torch.inference_mode():
        parts = _search(decoder, features, limits, rule, num_beams, length_penalty)
    return Decoded(*(part[:, :num_return_sequences] for part in assemble(parts, limits.special.pad)))


def _search(
    decoder: Decoder, features: Seen, limits: Limits, rule: Rule, num_beams: int, length_penalty: float
) -> list[tuple[Tensor, Written]]:
    live, kept = _begin(limits, rule, len(first(features).tokens), num_beams)
    device = live.ranks.device
    images, parts = torch.arange(len(live.ranks), device=device), []
    done = torch.zeros(live.ranks.shape[:2], dtype=torch.bool, device=device)
    memory, state = decoder.start(features)  # type: ignore[arg-type]  # one for several takes a tuple
    logits, state, _ = decoder(memory, state, live.written.tokens[:, 0, :1, : limits.start])
    state = decoder.widen(state, rule.groups * num_beams)
    logits = logits[:, :, -1:].expand(-1, rule.groups * num_beams, -1, -1)
    for length in range(limits.start, limits.max_length):  # tokens written so far
        words = length + 1 - limits.start  # with this step's, eos counted
        last = length + 1 == limits.max_length
        log_probs = limits.next_words(logits, live.written.tokens[..., :length].flatten(1, 2))
        new = rule.extend(live, log_probs.unflatten(1, live.ranks.shape[1:]), length, last, done)
        ends = new.words == limits.special.eos
        stops = (ends | last) & ~done[..., None]  # the kept captions of a done group do not change
        kept = _keep_ended(kept, live, new, stops, length, words**length_penalty)
        ranks, order = going_on(new, ends, num_beams)
        parents = new.parents.gather(-1, order)
        live = Beams(_write(live, new, order, length), ranks)
        # The best rank that a beam may still reach (an admissible bound): all words to come have log probability 0, and
        # the caption gets the length that the penalty favours most.
        longest = limits.max_length - limits.start if length_penalty > 0 else words + 1
        done = rule.settled(kept.ranks[..., -1], ranks[..., 0] / longest**length_penalty) | last
        over = done.all(dim=1)
        if enough_done(over):
            parts.append((images[over], _in_order(kept.take(over), rule)))
            if over.all():
                break
            rest = (~over).nonzero().squeeze(1)
            memory, state = decoder.keep(memory, state, rest)
            live, kept, parents = live.take(rest), kept.take(rest), parents[rest]
            images, done = images[rest], done[rest]
        tokens = live.written.tokens[..., length : length + 1].flatten(1, 2)
        logits, state, _ = decoder(memory, decoder.select(state, parents.flatten(1)), tokens)
    return parts


def _begin(limits: Limits, rule: Rule, images: int, num_beams: int) -> tuple[Beams, Beams]:
    """One live beam in each first group, because more would be copies of it, and no kept caption."""
    tokens = limits.blank(images, rule.groups * num_beams).unflatten(1, (rule.groups, num_beams))
    nothing = torch.full(tokens.shape[:3], -torch.inf, device=tokens.device)
    first = nothing.clone()
    first[:, rule.first, 0] = 0
    lengths = torch.full_like(tokens[..., 0], limits.start)
    return Beams(Written(tokens, lengths, first), first), Beams(Written(tokens, lengths, nothing), nothing)


def going_on(new: Continuations, ends: Tensor, num_beams: int) -> tuple[Tensor, Tensor]:
    """The ranks and indices (B G K) of the best continuations that do not end; -inf marks an empty place."""
    ranks, order = new.ranks.masked_fill(ends, -torch.inf).topk(num_beams, dim=-1)
    return ranks, order


def _write(live: Beams, new: Continuations, order: Tensor, length: int) -> Written:
    """The continuations at `order` (B G K') as captions."""
    words, parents, log_probs = (part.gather(-1, order) for part in new[:3])
    ranks = new.ranks.gather(-1, order)
    rows = torch.arange(len(words), device=words.device)[:, None, None]
    tokens = live.written.tokens.flatten(1, 2)[rows, parents]
    tokens[..., length] = words
    return Written(tokens, torch.full_like(parents, length + 1), log_probs.masked_fill(ranks == -torch.inf, -torch.inf))


def _keep_ended(kept: Beams, live: Beams, new: Continuations, ends: Tensor, length: int, penalty: float) -> Beams:
    """The best K of two sets: the kept captions, and the first K continuations if they end (ends: B G M)."""
    num_beams = kept.ranks.shape[-1]
    ranks = (new.ranks / penalty).masked_fill(~ends, -torch.inf)[..., :num_beams]
    if not bool((ranks > kept.ranks[..., -1:]).any()):
        return kept
    first = torch.arange(num_beams, device=ranks.device).expand_as(ranks)
    ended = _write(live, new, first, length)
    ranks, order = torch.cat([kept.ranks, ranks], dim=-1).topk(num_beams, dim=-1)
    index = order[..., None].expand(-1, -1, -1, kept.written.tokens.shape[-1])
    tokens = torch.cat([kept.written.tokens, ended.tokens], dim=2).gather(2, index)
    lengths = torch.cat([kept.written.lengths, ended.lengths], dim=2).gather(2, order)
    log_probs = torch.cat([kept.written.log_probs, ended.log_probs], dim=2).gather(2, order)
    return Beams(Written(tokens, lengths, log_probs.masked_fill(ranks == -torch.inf, -torch.inf)), ranks)


def _in_order(kept: Beams, rule: Rule) -> Written:
    """All kept captions of each image, best first: B G K -> B G*K."""
    order = rule.order(kept.ranks)
    rows = torch.arange(len(order), device=order.device)[:, None]
    return Written(*(part.flatten(1, 2)[rows, order] for part in kept.written))
