"""Visual contrastive decoding (Leng et al., arXiv:2311.16922): prefer words that the photo makes likelier.

The decoder reads a photo twice, as it is and distorted. What it says of the distorted photo is habit. A word's score is
p^(1 + alpha) / q^alpha, p being its probability with the photo and q with the distorted one. Example with alpha = 1:

    word   p    q       score
    dog    .5   .5      .25 / .5 = .5
    cat    .4   .1      .16 / .1 = 1.6   the caption goes on with `cat`
    zebra  .01  .00001  10               not considered, as p is below beta = .1 times the largest p

The limit is that of arXiv:2210.15097. The scores are made to add up to 1 before the search takes their logarithms.
"""

import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from showtell.decode.banks import Banks
from showtell.decode.decoded import Decoded
from showtell.decode.distort import distort
from showtell.decode.greedy import likeliest
from showtell.decode.groups import Groups
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decode.search import Rule, search
from showtell.decode.spelling import Forced, Spelling, banned, forced
from showtell.decode.unroll import unroll
from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.decoders.prefixed import own, prefixed
from showtell.features import Seen, first
from showtell.tokenizers.captions import Special

AT_ONCE = 8  # words of a caption that are scored in one call: with a large vocabulary all of them fill the memory


def contrastive(
    decoder: Decoder,
    features: Seen,
    special: Special,
    spelling: Spelling | None = None,
    *,
    alpha: float = 0.5,
    beta: float = 0.1,
    noise: float = 4.0,
    masked: float = 0.0,
    seed: int = 0,
    num_beams: int = 5,
    length_penalty: float = 0.0,
    num_return_sequences: int = 1,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    must: tuple[str, ...] = (),
    must_not: tuple[str, ...] = (),
) -> Decoded:
    """The captions that beam search, or with one beam greedy search, finds by the contrast of two sights of a photo.

    They are ordered by the contrast; `log_probs` remain the model's own, with the photo as it is.
    """
    lengths: dict[str, Any] = {
        "max_length": max_length,
        "min_length": min_length,
        "no_repeat_ngram_size": no_repeat_ngram_size,
    }
    ranking: dict[str, Any] = {"length_penalty": length_penalty, "num_return_sequences": num_return_sequences}
    check(alpha=alpha, beta=beta, noise=noise, masked=masked, seed=seed)
    check(num_beams=num_beams, must=must, must_not=must_not, **ranking, **lengths)
    both = Both(decoder, partial(distort, noise=noise, masked=masked, seed=seed))
    device = first(features).tokens.device
    required = forced(spelling, must, must_not) if must else None
    limits = Contrast(special, device, alpha, beta, required, banned=banned(spelling, must_not), **lengths)
    if num_beams == 1 and required is None:
        found = unroll(both, features, limits, likeliest, captions=1)
    else:
        rule: Rule = Groups(1, 0.0, special.eos) if required is None else Banks(required, special, device)
        found = search(both, features, limits, rule, num_beams=num_beams, **ranking)
    return found._replace(log_probs=_own_log_probs(decoder, features, found, limits.start))


class Both(Decoder):
    """One decoder that reads each photo as it is and distorted; its logits are those of the two, side by side: 2V."""

    def __init__(self, decoder: Decoder, distorted: partial[Seen]) -> None:
        super().__init__()
        self.decoder, self.distorted = decoder, distorted

    def start(self, features: Seen) -> tuple[Memory, State]:
        memory, state = self.decoder.start(features)  # type: ignore[arg-type]  # one for several takes a tuple
        other_memory, other_state = self.decoder.start(self.distorted(features))  # type: ignore[arg-type]
        memory = prefixed("clean", memory) | prefixed("distorted", other_memory)
        return memory, prefixed("clean", state) | prefixed("distorted", other_state)

    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        logits, after = [], State()
        for name in ("clean", "distorted"):
            output = self.decoder(own(name, memory), own(name, state), tokens)
            logits.append(output.logits)
            after |= prefixed(name, output.state)
        return Output(torch.cat(logits, dim=-1), after)


class Contrast(Limits):
    """Log probabilities of the contrast, from the logits of `Both`, within the limits of every strategy.

    A word is compared with the likeliest word that may come, so at least one word is always left. If only eos is
    likely, and min_length forbids it, the next likely words count.
    """

    def __init__(
        self, special: Special, device: torch.device, alpha: float, beta: float, required: Forced | None, **limits: Any
    ) -> None:
        super().__init__(special, device, **limits)
        self.alpha, self.least = alpha, math.log(beta) if beta else -math.inf
        words = {word for ways in required.phrases for way in ways for word in way} if required else set[int]()
        words.discard(special.begin[0])  # which only says that a phrase may begin a caption
        self.required = torch.tensor(sorted(words), dtype=torch.long, device=device)

    def next_words(self, logits: Tensor, tokens: Tensor) -> Tensor:
        clean, distorted = logits.float().chunk(2, dim=-1)  # B K S 2V
        allowed = super().next_words(clean, tokens)
        clean, distorted = clean[:, :, -1], distorted[:, :, -1]  # B K V
        log_probs = clean.log_softmax(-1)
        unlikely = log_probs < allowed.amax(dim=-1, keepdim=True) + self.least
        contrast = (1 + self.alpha) * clean - self.alpha * distorted
        contrast = contrast.masked_fill(unlikely, -torch.inf).log_softmax(-1)
        # A word that must be said may be unlikely everywhere. It keeps its own probability, which no contrast raises.
        words = self.required
        kept = torch.where(unlikely[..., words], log_probs[..., words], contrast[..., words])
        contrast = contrast.index_copy(-1, words, kept)
        return contrast.masked_fill(allowed == -torch.inf, -torch.inf)


@torch.no_grad()
def _own_log_probs(decoder: Decoder, features: Seen, found: Decoded, start: int) -> Tensor:
    """The model's log probabilities (B R) of found captions, after the `start` tokens with which all begin."""
    memory, state = decoder.start(features)  # type: ignore[arg-type]  # one for several takes a tuple
    state = decoder.widen(state, found.tokens.shape[1])
    words = found.mask[..., 1:].clone()
    words[..., : start - 1] = False
    sums = torch.zeros_like(found.log_probs)
    parts = (part.split(AT_ONCE, dim=-1) for part in (found.tokens[..., :-1], found.tokens[..., 1:], words))
    for read, then, real in zip(*parts, strict=True):
        logits, state, _ = decoder(memory, state, read)
        log_probs = logits.log_softmax(-1, dtype=torch.float32).gather(-1, then[..., None]).squeeze(-1)
        for step in log_probs.masked_fill(~real, 0).unbind(-1):  # one by one: equal beside any padding
            sums = sums + step
    return sums.masked_fill(found.log_probs == -torch.inf, -torch.inf)
