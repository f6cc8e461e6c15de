"""The contract of every encoder: pixels -> Features. It owns its transform, and the transform is deterministic."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from jaxtyping import Float, Shaped
from PIL import Image
from rich.console import Console
from torch import Tensor, nn

from showtell.data.record import LeftOut, Record
from showtell.features import Features, Seen
from showtell.layers.frozen import frozen_in_eval

E = TypeVar("E", bound="Encoder")


class Rows(Protocol):
    """Where features lie: `read(rows)` gives the arrays of Features, by name."""

    folder: Path

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]: ...


class Opened(NamedTuple):
    """Features that lie ready for `records`, in this order; `content` tells their numbers from others."""

    rows: Rows
    records: Sequence[Record]
    left_out: Sequence[LeftOut]
    content: str
    where: str  # for messages: where those that are left out are missing
    hint: str


class Given(Protocol):
    """Features that were computed elsewhere."""

    def open(self, records: Sequence[Record], console: Console) -> Opened:
        """Raises InputError for the first image whose features are not as they should be."""


class Encoder(nn.Module, ABC):
    """An encoder is built as `Encoder(*, ...)`; its keyword arguments are what a recipe may set.

    Encoding is `encoder.pool(encoder(pixels, view))`; `showtell.cache` keeps what lies before the last frozen step:
    `forward`'s features where nothing trains, else the pixels. Of an encoder that is made of `encoders` it keeps what
    belongs to each of these, and their features are `join`ed when they are read.
    """

    dim: int  # D of tokens and of pooled
    image_size: int  # side of the square of pixels
    trains: bool  # whether any parameter trains: then nothing but the pixels is cached
    reloadable: bool  # whether frozen weights can be had again from their named source
    count: int | None = None  # visual tokens of every image, where they are as many whatever is set of its size
    places: bool = True  # whether boxes say where tokens lie; all are the whole image where not
    given: Given | None = None  # where its features come from, if it was given them and sees no photo itself
    several: bool = False  # whether it is only its `encoders` side by side, and their features stay a tuple
    exact: bool = False  # whether photos are read whole, however large, and features kept in fp32

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The parts that the named source of a `reloadable` encoder gives back. All else was drawn or measured here."""
        return (self,)

    def train(self: E, mode: bool = True) -> E:
        """Frozen parts stay in eval mode."""
        super().train(mode and self.trains)
        if mode:
            frozen_in_eval(self)
        return self

    @property
    def encoders(self) -> list["Encoder"]:
        """Those that this one is made of, each with a cache of its own; none, for most."""
        return []

    def join(self, features: Sequence[Features]) -> Seen:
        """What `encoders` say of the same images -> what this one says of them."""
        raise NotImplementedError(f"{type(self).__name__} is not made of others")

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Digest of all that the cache depends on: transform and, where nothing trains, architecture and weights."""

    @abstractmethod
    def transform(self, image: Image.Image) -> tuple[Shaped[Tensor, "*n 3 h w"], Float[Tensor, "*n 4"]]:
        """An upright RGB image -> pixels, uint8 but for CLIP, and view: the part of the image that the pixels show."""

    @abstractmethod
    def forward(self, pixels: Shaped[Tensor, "B *n 3 h w"], view: Float[Tensor, "B *n 4"]) -> Features:
        """Pixels and what they show of the image -> Features of one width D, at the encoder's native grid."""

    def pool(self, features: Features) -> Features:
        """Native features -> those that the recipe asked for (`grid_size`); cheap, without parameters."""
        return features


ENCODERS: dict[str, type[Encoder]] = {}  # the table; it is filled in __init__.py, and `concat` builds its parts from it
