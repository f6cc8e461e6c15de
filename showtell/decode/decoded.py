"""What decoding hands back, and how images that end at different steps come together again."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Decoded(NamedTuple):
    """R captions of each of B images, best first: `begin.. w1 .. wn eos pad`, without eos where max_length cut one off.

    `log_probs` sum the model's own log probabilities of the words and eos, before temperature, top-k and limits.
    Where fewer than R captions exist, the rest are all padding with a log probability of -inf.
    """

    tokens: Int[Tensor, "B R T"]
    mask: Bool[Tensor, "B R T"]  # True where real
    log_probs: Float[Tensor, "B R"]


class Written(NamedTuple):
    """Captions while they are written: only the first `lengths` tokens, begin and eos counted, mean anything."""

    tokens: Tensor  # B K max_length
    lengths: Tensor  # B K
    log_probs: Tensor  # B K

    def take(self, images: Tensor) -> "Written":
        """The captions of some of the images: indices or a mask."""
        return Written(*(part[images] for part in self))


def enough_done(done: Tensor) -> bool:
    """Whether a quarter of the images (B,) is done: dropping them copies the memory of the others, so not one by one.

    True whenever all are done.
    """
    return 4 * int(done.sum()) >= len(done)


def assemble(parts: Sequence[tuple[Tensor, Written]], pad: int) -> Decoded:
    """(image indices, their captions) in the order in which they were done -> all images in their own order.

    Call it outside of inference mode: it copies, so that training may use what it returns.
    """
    order = torch.cat([images for images, _ in parts]).argsort()
    tokens, lengths, log_probs = (torch.cat(same)[order] for same in zip(*(part for _, part in parts), strict=True))
    lengths = lengths.masked_fill(log_probs == -torch.inf, 0)
    mask = torch.arange(int(lengths.max()), device=tokens.device) < lengths[..., None]
    return Decoded(tokens[..., : mask.shape[-1]].masked_fill(~mask, pad), mask, log_probs)
