"""Beam search: the K best beginnings go on together, the K best endings are kept; all images at once.

Enough beams find the likeliest caption of all. With `must` there are K beams for each number of ids still to be said
(Hokamp and Liu, arXiv:1704.07138), so that a beam which says such a word early need not beat those that do not.
"""

from typing import Any

from showtell.decode.banks import Banks
from showtell.decode.decoded import Decoded
from showtell.decode.greedy import greedy
from showtell.decode.groups import Groups
from showtell.decode.limits import Limits
from showtell.decode.options import check
from showtell.decode.search import Rule, search
from showtell.decode.spelling import Spelling, banned, forced
from showtell.decoders.decoder import Decoder
from showtell.features import Seen, first
from showtell.tokenizers.captions import Special


def beam(
    decoder: Decoder,
    features: Seen,
    special: Special,
    spelling: Spelling | None = None,
    *,
    num_beams: int = 5,
    length_penalty: float = 0.0,
    num_return_sequences: int = 1,
    max_length: int = 40,
    min_length: int = 0,
    no_repeat_ngram_size: int = 0,
    must: tuple[str, ...] = (),
    must_not: tuple[str, ...] = (),
) -> Decoded:
    """The captions with the highest log_prob / length**length_penalty, length being words and eos.

    One beam is greedy search, whatever the penalty, as in transformers. `must` words come in any order; where they
    cannot all be said within max_length, a caption that leaves fewer of their ids unsaid comes before a likelier one.
    """
    lengths: dict[str, Any] = {
        "max_length": max_length,
        "min_length": min_length,
        "no_repeat_ngram_size": no_repeat_ngram_size,
    }
    check(num_beams=num_beams, length_penalty=length_penalty, num_return_sequences=num_return_sequences, **lengths)
    check(must=must, must_not=must_not)
    if num_beams == 1 and not must:
        return greedy(decoder, features, special, spelling, must_not=must_not, **lengths)
    device, never = first(features).tokens.device, banned(spelling, must_not)
    limits = Limits(special, device, banned=never, **lengths)
    rule: Rule = Groups(1, 0.0, special.eos)
    if must:
        rule = Banks(forced(spelling, must, must_not), special, device)
    ranking: dict[str, Any] = {"length_penalty": length_penalty, "num_return_sequences": num_return_sequences}
    return search(decoder, features, limits, rule, num_beams=num_beams, **ranking)
