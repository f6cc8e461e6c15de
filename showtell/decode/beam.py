"""Beam search: the K best beginnings go on together, the K best endings are kept; all images at once.

The rules are those of transformers with `early_stopping="never"`, which never stops too early: an image is done only
when no beam can beat its worst kept caption, whatever it goes on to say. So enough beams find the likeliest of all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from showtell.decode.decoded import Decoded, Written, assemble, enough_done
from showtell.decode.greedy import greedy
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decoders.decoder import Decoder
from showtell.features import Features
from showtell.tokenizers.captions import Special


def beam(
    decoder: Decoder,
    features: Features,
    special: Special,
    *,
    num_beams: int = 5,
    length_penalty: float = 0.0,
    num_return_sequences: int = 1,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
) -> Decoded:
    """The captions with the highest log_prob / length**length_penalty, length being words and eos.

    One beam is greedy search, whatever the penalty, as in transformers.
    """
    lengths = {"max_length": max_length, "min_length": min_length, "no_repeat_ngram_size": no_repeat_ngram_size}
    check(num_beams=num_beams, length_penalty=length_penalty, num_return_sequences=num_return_sequences, **lengths)
    if num_beams == 1:
        return greedy(decoder, features, special, **lengths)
    limits = Limits(special, features.tokens.device, **lengths)
    with torch.inference_mode():
        parts = _search(decoder, features, limits, num_beams, length_penalty)
    return Decoded(*(part[:, :num_return_sequences] for part in assemble(parts, special.pad)))


class Beams(NamedTuple):
    """Beginnings or endings, best first; those with a rank of -inf only fill the places of missing ones."""

    written: Written  # B K
    ranks: Tensor  # B K, what they are ordered by

    def take(self, images: Tensor) -> "Beams":
        return Beams(self.written.take(images), self.ranks[images])


def best(written: Written, ranks: Tensor, count: int) -> tuple[Beams, Tensor]:
    """The captions that rank highest, and their indices (B count); what ranks at -inf may neither go on nor return."""
    ranks, order = ranks.topk(count, dim=1)
    rows = torch.arange(len(order), device=order.device)[:, None]
    tokens, lengths, log_probs = (part[rows, order] for part in written)
    return Beams(Written(tokens, lengths, log_probs.masked_fill(ranks == -torch.inf, -torch.inf)), ranks), order


def _search(
    decoder: Decoder, features: Features, limits: Limits, num_beams: int, length_penalty: float
) -> Sequence[tuple[Tensor, Written]]:
    live, kept = _begin(limits, len(features.tokens), num_beams)
    images, parts = torch.arange(len(features.tokens), device=features.tokens.device), []
    done = torch.zeros_like(images, dtype=torch.bool)
    memory, state = decoder.start(features)
    logits, state, _ = decoder(memory, state, live.written.tokens[:, :1, :1])
    state, logits = decoder.widen(state, num_beams), logits.expand(-1, num_beams, -1, -1)
    for length in range(1, limits.max_length):  # tokens written so far; with this step's, also words and eos alone
        last = length + 1 == limits.max_length
        log_probs = limits.next_words(logits, live.written.tokens[..., :length])
        candidates, parents = _extend(live, log_probs, length)
        ends = candidates.tokens[..., length] == limits.special.eos
        stops = (ends | last) & ~done[:, None]  # what is kept for done images stays until they are dropped
        kept = _keep_ended(kept, candidates, stops, length**length_penalty)
        live, order = best(candidates, candidates.log_probs.masked_fill(ends, -torch.inf), num_beams)
        parents = parents.gather(1, order)
        # The best that a beam may still reach: all to come for free, at the length that the penalty likes most.
        longest = limits.max_length - 1 if length_penalty > 0 else length + 1
        done = (kept.ranks[:, -1] >= live.ranks[:, 0] / longest**length_penalty) | last
        if enough_done(done):
            parts.append((images[done], kept.written.take(done)))
            if done.all():
                break
            rest = (~done).nonzero().squeeze(1)
            memory, state = decoder.keep(memory, state, rest)
            live, kept, parents = live.take(rest), kept.take(rest), parents[rest]
            images, done = images[rest], done[rest]
        tokens = live.written.tokens[..., length : length + 1]
        logits, state, _ = decoder(memory, decoder.select(state, parents), tokens)
    return parts


def _begin(limits: Limits, images: int, num_beams: int) -> tuple[Beams, Beams]:
    """One live beam an image, as more would only repeat it, and no kept caption."""
    tokens = limits.blank(images, num_beams)
    nothing = torch.full((images, num_beams), -torch.inf, device=tokens.device)
    first = nothing.clone()
    first[:, 0] = 0
    lengths = torch.ones_like(tokens[..., 0])
    return Beams(Written(tokens, lengths, first), first), Beams(Written(tokens, lengths, nothing), nothing)


def _extend(live: Beams, log_probs: Tensor, length: int) -> tuple[Written, Tensor]:
    """The best 2K of all continuations, by log_probs (B K V) of the next word, and the beams (B 2K) they continue.

    At most K of them end, one a beam, so at least K go on.
    """
    sums = (live.written.log_probs[..., None] + log_probs).flatten(1)  # B K V -> B K*V
    sums, order = sums.topk(2 * live.ranks.shape[1], dim=1)
    parents, words = order // log_probs.shape[-1], order % log_probs.shape[-1]
    rows = torch.arange(len(parents), device=parents.device)[:, None]
    tokens = live.written.tokens[rows, parents]
    tokens[..., length] = words
    return Written(tokens, torch.full_like(parents, length + 1), sums), parents


def _keep_ended(kept: Beams, candidates: Written, ends: Tensor, penalty: float) -> Beams:
    """The best K of the kept captions and of those among the first K candidates that end (ends: B 2K)."""
    num_beams = kept.ranks.shape[1]
    ended = Written(*(part[:, :num_beams] for part in candidates))
    ranks = (ended.log_probs / penalty).masked_fill(~ends[:, :num_beams], -torch.inf)
    both = Written(*(torch.cat(pair, dim=1) for pair in zip(kept.written, ended, strict=True)))
    return best(both, torch.cat([kept.ranks, ranks], dim=1), num_beams)[0]
