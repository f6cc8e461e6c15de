"""Greedy search: take the likeliest word at every step. It is fast, but may miss the likeliest caption."""

from torch import Tensor

from showtell.decode.decoded import Decoded
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decode.spelling import Spelling, banned
from showtell.decode.unroll import unroll
from showtell.decoders.decoder import Decoder
from showtell.features import Seen, first
from showtell.tokenizers.captions import Special


def greedy(
    decoder: Decoder,
    features: Seen,
    special: Special,
    spelling: Spelling | None = None,
    *,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    must_not: tuple[str, ...] = (),
) -> Decoded:
    """One caption per image (R = 1)."""
    lengths = {"max_length": max_length, "min_length": min_length, "no_repeat_ngram_size": no_repeat_ngram_size}
    check(**lengths, must_not=must_not)
    limits = Limits(special, first(features).tokens.device, banned=banned(spelling, must_not), **lengths)
    return unroll(decoder, features, limits, likeliest, captions=1)


def likeliest(log_probs: Tensor, images: Tensor, length: int) -> Tensor:
    return log_probs.argmax(dim=-1)
