"""Beam search: each step extends the K best unfinished captions; the K best finished ones are kept. All images at once.

With enough beams it finds the likeliest caption. With `must`, there are K beams for each number of missing ids (grid
beam search, Hokamp and Liu, arXiv:1704.07138): a beam that has an unlikely `must` word does not compete with one that
has not.
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
    """The captions with the highest log_prob / length**length_penalty; length counts words and eos.

    With length_penalty 1, a caption of length 10 and log_prob -8 (-0.8) beats one of length 5 and log_prob -5 (-1.0).

    One beam is greedy search, whatever the penalty, as in transformers. `must` words may come in any order. If not all
    of them fit into max_length, a caption that misses fewer ids comes before a likelier one.
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
