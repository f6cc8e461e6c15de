"""Logits -> captions: greedy, beams and sampling, written once for all decoders and batched over images.

A strategy is `strategy(decoder, features, special, spelling, *, ...) -> Decoded`; its keyword arguments are what a
recipe may set, with the meaning of transformers' GenerationConfig. Words that a caption must or must not hold are text:
`spelling` says by which ids they are written, and may be left out where there are none. A strategy knows of a decoder
only `start`, `forward`, `select`, `keep` and `widen`, and leaves it in the mode it is in: call `decoder.eval()` first.
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
