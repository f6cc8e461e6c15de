"""The contract of every loss: captions of a batch of images -> a sum to make smaller."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from showtell.clip import Clip
from showtell.data import Record
from showtell.decoders.decoder import Decoder
from showtell.features import Seen
from showtell.tokenizers.captions import Captions, Tokenizer

Teaching = Callable[[Seen, Tensor], Tensor]  # what is seen and tokens (B K S) -> log probabilities (B K S V)


class Learnt(NamedTuple):
    """What a loss is given before training: the photos and captions that are learnt, and what reads them."""

    records: Sequence[Record]
    tokenizer: Tokenizer
    decode: Mapping[str, Any]  # the recipe's section: a loss that draws captions takes its lengths
    clip: Clip  # loaded only if a metric looks at photos
    teacher: Teaching | None = None


class Loss(ABC):
    """A loss is built as `Loss(*, ...)`; its keyword arguments are the options of the recipe's section `loss`."""

    samples = 0  # captions that it draws of each image; 0: it reads people's captions
    teacher: str | None = None  # the run whose probabilities it learns too

    def check(self, clip: Clip) -> None:  # noqa: B027 - most losses need nothing
        """InputError if this machine cannot compute it. Called before a photo is encoded."""

    @abstractmethod
    def begin(self, learnt: Learnt) -> None:
        """Prepare what every step needs."""

    @abstractmethod
    def __call__(
        self, decoder: Decoder, seen: Seen, captions: Captions, images: Sequence[int], done: float
    ) -> tuple[Tensor, float]:
        """The summed loss of a batch, and the mean reward of the captions that were drawn (0 if none is).

        The decoder reads the first of what is `seen`; more than one is there only if a teacher sees by other encoders.
        `images` are places in the records; `done` is the share of the training that is done, from 0 to 1.
        """

    def units(self, captions: Captions) -> int:
        """How many terms the sum of a batch has: the step divides by them."""
        return self.captions(captions)

    def captions(self, captions: Captions) -> int:
        """How many captions a batch learns from."""
        return self.samples * len(captions.tokens) if self.samples else int(captions.mask[..., 0].sum())
