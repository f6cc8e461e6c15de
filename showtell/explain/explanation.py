"""What an explanation is made of, and the question that all methods ask a captioner."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from jaxtyping import Bool, Float
from torch import Tensor

from showtell.explain.words import Word

FIFTH = 0.2  # the share of the parts that a picture's deletion score masks


class Deletion(NamedTuple):
    """How much each word's log-probability falls (T) without the share of the parts that its map points at.

    `chance` is the mean fall without as many random parts. A word that was written with probability .5, and now gets
    .25, falls by log 2 = .69.
    """

    share: float
    falls: Float[Tensor, " T"]
    chance: Float[Tensor, " T"]


class Explanation(NamedTuple):
    """`maps[t, n]` says how much of word t came from part n of the photo, and `boxes[n]` where this part lies.

    Maps of `attention` and `relevance` are at least 0 and add up to 1. A map of `occlusion` is the fall of the word's
    log-probability without the part: below 0, the word becomes likelier.
    """

    words: list[str]
    maps: Float[Tensor, "T N"]
    boxes: Float[Tensor, "N 4"]  # fractions of the upright original image
    text: str
    how: str = "attention"
    manner: str = "attention, mean of all layers and heads"  # in words, for pictures
    log_probs: Float[Tensor, " T"] | None = None
    deletion: Deletion | None = None


class Parts(Protocol):
    """A photo in parts that can be masked, and a caption of it, word for word."""

    text: str
    words: Sequence[Word]
    boxes: Float[Tensor, "N 4"]  # of the parts

    def log_probs(self, kept: Bool[Tensor, "M N"]) -> Float[Tensor, "M T"]:
        """The log-probability of each word, for M copies of the photo of which only some parts are kept."""
        ...
