"""Diverse beam search (Vijayakumar et al., arXiv:1610.02424): groups of beams that describe an image differently."""

from typing import Any

from showtell.decode.beam import beam
from showtell.decode.decoded import Decoded
from showtell.decode.groups import Groups
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decode.search import search
from showtell.decode.spelling import Spelling, banned
from showtell.decoders.decoder import Decoder
from showtell.features import Seen, first
from showtell.tokenizers.captions import Special


def diverse_beam(
    decoder: Decoder,
    features: Seen,
    special: Special,
    spelling: Spelling | None = None,
    *,
    num_beams: int = 6,
    num_beam_groups: int = 3,
    diversity_penalty: float = 0.5,
    length_penalty: float = 0.0,
    num_return_sequences: int = 1,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    must_not: tuple[str, ...] = (),
) -> Decoded:
    """The captions of all groups, ranked as in `beam`, after the diversity penalty is subtracted from log_prob.

    With num_beams 6 and num_beam_groups 3, every group has 2 beams. See `Groups` for the penalty.
    """
    lengths: dict[str, Any] = {
        "max_length": max_length,
        "min_length": min_length,
        "no_repeat_ngram_size": no_repeat_ngram_size,
    }
    ranking: dict[str, Any] = {"length_penalty": length_penalty, "num_return_sequences": num_return_sequences}
    check(num_beams=num_beams, num_beam_groups=num_beam_groups, diversity_penalty=diversity_penalty)
    check(must_not=must_not, num_beams=num_beams, **ranking, **lengths)
    if num_beam_groups == 1:
        return beam(decoder, features, special, spelling, num_beams=num_beams, must_not=must_not, **ranking, **lengths)
    limits = Limits(special, first(features).tokens.device, banned=banned(spelling, must_not), **lengths)
    rule = Groups(num_beam_groups, diversity_penalty, special.eos)
    return search(decoder, features, limits, rule, num_beams=num_beams // num_beam_groups, **ranking)
