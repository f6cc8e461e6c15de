"""The contract of every decoder: a state machine with one verb.

`start` reads the features once per image, `forward` reads S words of every caption and gives as many logits. Cutting a
caption into calls in any way gives the same logits, so training, decoding and replaying share one piece of code.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.features import Features
from showtell.layers.frozen import frozen_in_eval

D = TypeVar("D", bound="Decoder")

Memory = dict[str, Tensor]  # what all captions of an image share; every tensor is (B ...)
State = dict[str, Tensor]  # what one caption carries; every tensor is (B K ...)


class Output(NamedTuple):
    """`logits[..., s, :]` predict the word after `tokens[..., s]`; `attention` comes when asked.

    H counts the heads of all layers, first layer first.
    """

    logits: Float[Tensor, "B K S V"]
    state: State
    attention: Float[Tensor, "B K S H N"] | None = None


class Decoder(nn.Module, ABC):
    """Features + words -> logits.

    Built as `Decoder(feature_dim, vocabulary_size, *, ...)`; the keyword arguments are what a recipe may set. Logits
    have exactly `vocabulary_size` columns. A decoder whose table of words has more rows cuts them off.
    """

    max_length: int | None = None  # how many tokens it can read; None if that is any number
    regions: int | None = None  # how many visual tokens it reads; None if that is any number
    reads_boxes = False  # whether it is told where visual tokens lie
    attends = False  # True exactly if `forward(..., attention=True)` returns attention
    reloadable = False  # whether frozen weights come back from their named source, so that no run has to save them

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The parts that the named source of a `reloadable` decoder gives back. All else was drawn or measured here."""
        return (self,)

    def train(self: D, mode: bool = True) -> D:
        """Frozen parts stay in eval mode."""
        super().train(mode)
        if mode:
            frozen_in_eval(self)
        return self

    def fit(self, features: Features) -> None:
        """Measure what the decoder wants to know of frozen features (mean and deviation, say) on training images."""

    @abstractmethod
    def start(self, features: Features) -> tuple[Memory, State]:
        """The memory of B images and the state of one caption each (K = 1); `select` makes it more."""

    @abstractmethod
    def forward(self, memory: Memory, state: State, tokens: Int[Tensor, "B K S"], attention: bool = False) -> Output:
        """Read tokens and go on: S = T is teacher forcing, 1 is decoding, anything between is as good.

        `attention` of a decoder that looks at no visual tokens stays None.
        """

    @staticmethod
    def select(state: State, parents: Int[Tensor, "B L"]) -> State:
        """Captions reordered, dropped or multiplied within each image: parents are indices below K."""
        rows = torch.arange(len(parents), device=parents.device)[:, None]
        return {name: part[rows, parents] for name, part in state.items()}

    @staticmethod
    def keep(memory: Memory, state: State, images: Int[Tensor, " M"]) -> tuple[Memory, State]:
        """Only some of the images: indices below B."""
        return {n: part[images] for n, part in memory.items()}, {n: part[images] for n, part in state.items()}

    @classmethod
    def widen(cls, state: State, captions: int) -> State:
        """The state of one caption an image, as `start` gives it, for `captions` of them."""
        some = next(iter(state.values()))
        return cls.select(state, torch.zeros(len(some), captions, dtype=torch.long, device=some.device))
