"""The contract of every loss: captions of a batch of images -> the sum that training makes smaller."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from showtell.clip import Clip
from showtell.data import Record
from showtell.decoders.decoder import Decoder
from showtell.features import Seen
from showtell.tokenizers.captions import Captions, Tokenizer

Teaching = Callable[[Seen, Tensor], Tensor]  # features and tokens (B K S) -> log probabilities (B K S V)


class Learnt(NamedTuple):
    """What a loss gets before training: the training photos and captions, the tokenizer, and models it may need."""

    records: Sequence[Record]
    tokenizer: Tokenizer
    decode: Mapping[str, Any]  # the recipe's section `decode`; a loss that samples captions uses its lengths
    clip: Clip  # loaded only if a metric needs photos
    teacher: Teaching | None = None


class Loss(ABC):
    """A loss is built as `Loss(*, ...)`; its keyword arguments are the options of the recipe's section `loss`."""

    samples = 0  # captions that the loss samples for each image; 0 if it learns people's captions
    teacher: str | None = None  # the run whose probabilities the loss learns too

    def check(self, clip: Clip) -> None:  # noqa: B027 - most losses need nothing
        """Raise InputError if this machine cannot compute the loss. Called before a photo is encoded."""

    @abstractmethod
    def begin(self, learnt: Learnt) -> None:
        """Prepare what every step needs. Called once, before the first step."""

    @abstractmethod
    def __call__(
        self, decoder: Decoder, seen: Seen, captions: Captions, images: Sequence[int], done: float
    ) -> tuple[Tensor, float]:
        """The summed loss of a batch, and the mean reward of the sampled captions (0 if there are none).

        `seen` is the features of one encoder, or a tuple if a teacher has other encoders; the decoder reads the first.
        `images` are indices of the records. `done` is the finished share of the training, from 0 to 1.
        """

    def units(self, captions: Captions) -> int:
        """The number of terms in the sum of a batch: words, or captions. A step divides its loss by it."""
        return self.captions(captions)

    def captions(self, captions: Captions) -> int:
        """The number of captions that a batch learns from."""
        return self.samples * len(captions.tokens) if self.samples else int(captions.mask[..., 0].sum())
