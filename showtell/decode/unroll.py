"""The loop of greedy search and sampling: every caption gets one word per step, until eos, independently."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from showtell.decode.decoded import Decoded, Written, assemble, enough_done
from showtell.decode.limits import Limits
from showtell.decoders.decoder import Decoder
from showtell.features import Seen, first

# (log probabilities B K V, indices of the images B, how many tokens are written) -> words B K
Choose = Callable[[Tensor, Tensor, int], Tensor]


def unroll(decoder: Decoder, features: Seen, limits: Limits, choose: Choose, captions: int) -> Decoded:
    """K captions for each image; they are not sorted."""
    with torch.inference_mode():
        parts = _unroll(decoder, features, limits, choose, captions)
    return assemble(parts, limits.special.pad)


def _unroll(
    decoder: Decoder, features: Seen, limits: Limits, choose: Choose, captions: int
) -> Sequence[tuple[Tensor, Written]]:
    tokens = limits.blank(len(first(features).tokens), captions)
    lengths = torch.full_like(tokens[..., 0], limits.start)
    written = Written(tokens, lengths, torch.zeros(tokens.shape[:2], device=tokens.device))
    live, images, parts = lengths.bool(), torch.arange(len(tokens), device=tokens.device), []
    memory, state = decoder.start(features)  # type: ignore[arg-type]  # one for several takes a tuple
    logits, state, _ = decoder(memory, state, tokens[:, :1, : limits.start])
    state, logits = decoder.widen(state, captions), logits[:, :, -1:].expand(-1, captions, -1, -1)
    for length in range(limits.start, limits.max_length):
        log_probs = limits.next_words(logits, written.tokens[..., :length])
        words = choose(log_probs, images, length)
        write(written, words, log_probs, live, length, limits.special.pad)
        live &= (words != limits.special.eos) & (length + 1 < limits.max_length)
        done = ~live.any(dim=1)
        if enough_done(done):
            parts.append((images[done], written.take(done)))
            if done.all():
                break
            rest = (~done).nonzero().squeeze(1)
            memory, state = decoder.keep(memory, state, rest)
            written, live, images = written.take(rest), live[rest], images[rest]
        logits, state, _ = decoder(memory, state, written.tokens[..., length : length + 1])
    return parts


def write(written: Written, words: Tensor, log_probs: Tensor, live: Tensor, length: int, pad: int) -> None:
    """Append words (B K) in place to captions that are live; the others get pad."""
    written.tokens[..., length] = words.masked_fill(~live, pad)
    written.lengths.add_(live)
    written.log_probs.add_(log_probs.gather(-1, words[..., None]).squeeze(-1).masked_fill(~live, 0))
