"""Logits -> captions: greedy, beam search and sampling, written once for all decoders and batched over images.

A strategy is `strategy(decoder, features, special, spelling, *, ...) -> Decoded`. Its keyword arguments are its options
in a recipe, and mean what they mean in transformers' GenerationConfig. The options `must` and `must_not` are text;
`spelling` turns their words into ids, and is needed only with these options. A strategy calls `start`, `forward`,
`select`, `keep` and `widen` of a decoder, and does not change its mode: call `decoder.eval()` first.
"""

from collections.abc import Callable

from showtell.decode.beam import beam
from showtell.decode.contrastive import contrastive
from showtell.decode.decoded import Decoded
from showtell.decode.diverse_beam import diverse_beam
from showtell.decode.greedy import greedy
from showtell.decode.options import check
from showtell.decode.sample import sample
from showtell.decode.spelling import check_words

__all__ = ["STRATEGIES", "Decoded", "beam", "check", "check_words", "contrastive", "diverse_beam", "greedy", "sample"]

STRATEGIES: dict[str, Callable[..., Decoded]] = {
    "greedy": greedy,
    "beam": beam,
    "diverse_beam": diverse_beam,
    "contrastive": contrastive,
    "sample": sample,
}
