"""The contract of every decoder: a state machine with one verb.

`start` reads the features once per image. `forward` reads the next S words of every caption and returns logits for
each of them. A caption may be cut into calls in any way: 7 words at once give the same logits as 3 and then 4. So
training, decoding and explanations share one piece of code.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from showtell.decoders.language import Language
from showtell.features import Features
from showtell.layers.frozen import frozen_in_eval
from showtell.layers.learned import Learned
from showtell.plumbing.errors import RecipeError

D = TypeVar("D", bound="Decoder")

Memory = dict[str, Tensor]  # what all captions of an image share; every tensor is (B ...)
State = dict[str, Tensor]  # what one caption carries; every tensor is (B K ...)


class Output(NamedTuple):
    """`logits[..., s, :]` predict the word after `tokens[..., s]`; `attention` is None unless it was requested.

    H counts the heads of all layers, first layer first: 3 layers of 4 heads make H = 12.
    """

    logits: Float[Tensor, "B K S V"]
    state: State
    attention: Float[Tensor, "B K S H N"] | None = None


class Decoder(nn.Module, ABC):
    """Features + words -> logits.

    Built as `Decoder(feature_dim, vocabulary_size, *, ...)`; the keyword arguments are its options in a recipe. Logits
    have exactly `vocabulary_size` columns. If a decoder's word embedding has more rows, the decoder cuts them off.
    """

    max_length: int | None = None  # the most tokens that it can read; None means no limit
    regions: int | None = None  # the number of visual tokens that it needs; None means any number
    reads_boxes = False  # True if it uses the positions of visual tokens
    attends = False  # True exactly if `forward(..., attention=True)` returns attention
    attention_layers = 1  # how many layers attend to the image, if any; each has the same number of heads
    reloadable = False  # True if frozen weights can be loaded again from their named source; a run does not save them
    learned: Learned | None  # positions in front of the words that PEFT learns; None for most

    def __init__(self) -> None:
        super().__init__()
        self.learned = None

    @property
    def reads_tokens(self) -> bool:
        """Whether words can come from single visual tokens; if not, it reads one pooled vector."""
        return self.attends

    @property
    def language(self) -> Language | None:
        """The language model in it, which PEFT can freeze and extend; None if there is none."""
        return None

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The modules whose weights the named source of a `reloadable` decoder has. All others began at random here."""
        return (self,)

    def train(self: D, mode: bool = True) -> D:
        """Set the mode; frozen modules stay in eval mode."""
        super().train(mode)
        if mode:
            frozen_in_eval(self)
        return self

    def fit(self, features: Features) -> None:
        """Measure statistics of frozen features on training images, for example mean and deviation of each channel."""

    @abstractmethod
    def start(self, features: Features) -> tuple[Memory, State]:
        """Return the memory of B images and the state of one empty caption for each (K = 1); `widen` makes K larger."""

    @abstractmethod
    def forward(
        self,
        memory: Memory,
        state: State,
        tokens: Int[Tensor, "B K S"],
        attention: bool = False,
        probe: Float[Tensor, "B K S H N"] | None = None,
    ) -> Output:
        """Read the next S tokens of every caption. S = T is teacher forcing, S = 1 is decoding; any S works.

        `Output.attention` is always None if the decoder has no attention over visual tokens. It is a copy, not on the
        path from the image to the logits. So `probe` is added to the weights on that path: zeros that require gradients
        get the gradient with respect to each weight. With a weight of .2 and a gradient of 3, .01 more of this weight
        adds .03 to the logit.
        """

    @staticmethod
    def select(state: State, parents: Int[Tensor, "B L"]) -> State:
        """Reorder, drop or repeat the captions of each image; parents are indices below K.

        Parents `[[1, 1, 0]]` keep caption 1 twice, then caption 0.
        """
        rows = torch.arange(len(parents), device=parents.device)[:, None]
        if torch.is_grad_enabled():
            return {name: part[rows, parents] for name, part in state.items()}
        captions = next(iter(state.values())).shape[1]
        places = (rows * captions + parents).flatten()  # for speed: copies whole captions, not numbers
        taken = {name: part.flatten(0, 1).index_select(0, places) for name, part in state.items()}
        return {name: part.unflatten(0, parents.shape) for name, part in taken.items()}

    @staticmethod
    def keep(memory: Memory, state: State, images: Int[Tensor, " M"]) -> tuple[Memory, State]:
        """Keep only these images (indices below B)."""
        return {n: part[images] for n, part in memory.items()}, {n: part[images] for n, part in state.items()}

    @classmethod
    def widen(cls, state: State, captions: int) -> State:
        """Repeat the state that `start` returned, so that every image has `captions` captions."""
        some = next(iter(state.values()))
        return cls.select(state, torch.zeros(len(some), captions, dtype=torch.long, device=some.device))


def check_length(decoder: Decoder, length: int | torch.SymInt) -> None:
    """Raise RecipeError if a decoder has no positions for a caption of so many tokens and what PEFT put before it."""
    limit = decoder.max_length
    learned = decoder.learned.length if decoder.learned is not None else 0
    if limit is not None and learned + length > limit:
        takes, advice = f"at least {length} for a caption of {length} tokens", "use shorter captions"
        raise RecipeError(key="decoder.max_length", value=limit, takes=takes, advice=advice)
