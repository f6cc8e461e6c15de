"""The result of decoding, and how images that finish at different steps are put back in order."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Decoded(NamedTuple):
    """R captions for each of B images, best first: `begin.. w1 .. wn eos pad`; no eos if max_length cut it off.

    `log_probs` add up the model's log probabilities of the words and eos, before temperature, top-k and limits. If
    fewer than R captions exist, the others are only padding, with a log probability of -inf.
    """

    tokens: Int[Tensor, "B R T"]
    mask: Bool[Tensor, "B R T"]  # True where real
    log_probs: Float[Tensor, "B R"]


class Written(NamedTuple):
    """Captions while they are written. Only the first `lengths` tokens are valid; these include begin and eos."""

    tokens: Tensor  # B K max_length
    lengths: Tensor  # B K
    log_probs: Tensor  # B K

    def take(self, images: Tensor) -> "Written":
        """The captions of some images, given as indices or as a mask."""
        return Written(*(part[images] for part in self))


def enough_done(done: Tensor) -> bool:
    """Whether at least a quarter of the images (B,) is done: 2 of 8, or all.

    Dropping done images copies the memory of the others, so it is too slow to do for every single image.
    """
    return 4 * int(done.sum()) >= len(done)


def assemble(parts: Sequence[tuple[Tensor, Written]], pad: int) -> Decoded:
    """Pairs (image indices, their captions), in the order in which images finished -> all images in the first order.

    Call it outside of inference mode: then the copies that it returns may be used in training.
    """
    order = torch.cat([images for images, _ in parts]).argsort()
    tokens, lengths, log_probs = (torch.cat(same)[order] for same in zip(*(part for _, part in parts), strict=True))
    lengths = lengths.masked_fill(log_probs == -torch.inf, 0)
    mask = torch.arange(int(lengths.max()), device=tokens.device) < lengths[..., None]
    return Decoded(tokens[..., : mask.shape[-1]].masked_fill(~mask, pad), mask, log_probs)
