"""Sampling: draw each word by its probability, with temperature, top-k and top-p (nucleus, arXiv:1904.09751).

Unusual: each image has its own random numbers, which depend only on the seed and the image. So a photo's captions do
not depend on the other photos of its batch, different photos get different numbers, and the same photo always gets the
same captions.
"""

import torch
from torch import Tensor

from showtell.decode.decoded import Decoded
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decode.spelling import Spelling, banned
from showtell.decode.unroll import unroll
from showtell.decoders.decoder import Decoder
from showtell.features import Features, Seen, first
from showtell.tokenizers.captions import Special


def sample(
    decoder: Decoder,
    features: Seen,
    special: Special,
    spelling: Spelling | None = None,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    num_return_sequences: int = 1,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    must_not: tuple[str, ...] = (),
    seed: int | None = None,
) -> Decoded:
    """R independent captions per image, likeliest first; top_k 0 and top_p 1 draw from all words."""
    lengths = {"max_length": max_length, "min_length": min_length, "no_repeat_ngram_size": no_repeat_ngram_size}
    check(temperature=temperature, top_k=top_k, top_p=top_p, num_return_sequences=num_return_sequences, seed=seed)
    check(**lengths, must_not=must_not)
    dice = throw(first(features), seed, num_return_sequences, max_length)

    def draw(log_probs: Tensor, images: Tensor, length: int) -> Tensor:
        return pick(narrow(log_probs / temperature, top_k, top_p), dice[images, :, length])

    limits = Limits(special, first(features).tokens.device, banned=banned(spelling, must_not), **lengths)
    drawn = unroll(decoder, features, limits, draw, captions=num_return_sequences)
    order = drawn.log_probs.argsort(dim=1, descending=True, stable=True)
    rows = torch.arange(len(order), device=order.device)[:, None]
    return Decoded(*(part[rows, order] for part in drawn))


def throw(features: Features, seed: int | None, captions: int, steps: int) -> Tensor:
    """Random numbers in [0, 1) for a batch (B K T). Each image has a generator, seeded with a hash of its features.

    The hash reads the features as fp16, because cached features are fp16: live and cached ones give the same hash.
    """
    generator = torch.Generator()
    generator.seed() if seed is None else generator.manual_seed(seed)
    bits = features.pooled.detach().half().cpu().contiguous().view(torch.int16).long()
    weights = torch.randint(-(2**62), 2**62, (1 + bits.shape[1],), generator=generator)
    keys = ((bits * weights[1:]).sum(dim=1) + weights[0]).tolist()
    dice = [torch.rand(captions, steps, generator=generator.manual_seed(key)) for key in keys]
    return torch.stack(dice).to(features.pooled.device)


def narrow(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Logits (B K V) -> probabilities of the top_k likeliest words, then of the fewest of them that reach top_p.

    All others become 0. With top_p .7, of probabilities .5, .3, .2 the first two stay, because .5 + .3 reaches .7.
    Equal words stay together: of .5, .25, .25 all three stay.
    """
    if 0 < top_k < logits.shape[-1]:
        lowest = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < lowest, -torch.inf)
    probs = torch.softmax(logits, dim=-1)
    if top_p < 1:
        ranked = probs.topk(min(256, probs.shape[-1]), dim=-1).values  # nearly always enough, and sorting is slow
        if bool((ranked.sum(dim=-1) < top_p).any()):
            ranked = probs.sort(dim=-1, descending=True).values
        before = ranked.cumsum(dim=-1) - ranked  # the sum of all likelier words: 0 for the first, which always stays
        lowest = ranked.masked_fill(before >= top_p, 1).amin(dim=-1, keepdim=True)
        probs = probs.masked_fill(probs < lowest, 0)
    return probs


def pick(probs: Tensor, dice: Tensor) -> Tensor:
    """Draw words (B K) with probabilities proportional to probs (B K V), from random numbers (B K): inverse sampling.

    Probabilities .2, .0, .8 have the running sums .2, .2, 1: a number below .2 picks word 0, any other picks word 2.
    """
    sums = probs.cumsum(dim=-1)
    scaled = dice[..., None] * sums[..., -1:]
    return torch.searchsorted(sums, scaled, right=True).squeeze(-1).clamp_max(probs.shape[-1] - 1)
