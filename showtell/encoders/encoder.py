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
    """Stored features: `read(rows)` returns the arrays of Features by name, for example `tokens`."""

    folder: Path

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]: ...


class Opened(NamedTuple):
    """Features that are ready for `records`, in this order. `content` is a digest of them."""

    rows: Rows
    records: Sequence[Record]
    left_out: Sequence[LeftOut]
    content: str
    where: str  # for messages: the file in which the images of `left_out` are missing
    hint: str


class Given(Protocol):
    """Features that were computed elsewhere."""

    def open(self, records: Sequence[Record], console: Console) -> Opened:
        """Raises InputError for the first image with wrong features."""


class Encoder(nn.Module, ABC):
    """Pixels -> Features. Built as `Encoder(*, ...)`; its keyword arguments are its options in a recipe.

    Encoding is `encoder.pool(encoder(pixels, view))`. `showtell.cache` stores the features of `forward` if the encoder
    is frozen, and the pixels if anything trains. If an encoder is made of other `encoders`, each of them has its own
    cache, and `join` combines their features after reading.
    """

    dim: int  # D of tokens and of pooled
    image_size: int  # side of the square of pixels
    trains: bool  # True if any parameter trains; then only pixels are cached
    reloadable: bool  # True if frozen weights can be loaded again from their named source
    count: int | None = None  # visual tokens per image, if every image has the same number; otherwise None
    places: bool = True  # False if every box is the whole image, so that boxes say nothing
    given: Given | None = None  # the source of precomputed features; then the encoder reads no photos
    several: bool = False  # True if the features are a tuple, with one entry for each of `encoders`
    exact: bool = False  # True if photos are read at full size and features are kept in fp32

    @property
    def pretrained(self) -> Sequence[nn.Module]:
        """The modules whose weights the named source of a `reloadable` encoder has. All others began at random here."""
        return (self,)

    def train(self: E, mode: bool = True) -> E:
        """Set the mode; frozen modules stay in eval mode."""
        super().train(mode and self.trains)
        if mode:
            frozen_in_eval(self)
        return self

    @property
    def encoders(self) -> list["Encoder"]:
        """The encoders that this one combines, each with its own cache. Most encoders have none."""
        return []

    def join(self, features: Sequence[Features]) -> Seen:
        """Combine the features that `encoders` computed from the same images."""
        raise NotImplementedError(f"{type(self).__name__} is not made of other encoders")

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A digest of all that the cache depends on: the transform and, if frozen, the architecture and weights."""

    @abstractmethod
    def transform(self, image: Image.Image) -> tuple[Shaped[Tensor, "*n 3 h w"], Float[Tensor, "*n 4"]]:
        """An upright RGB image -> pixels (uint8, except for CLIP) and view, the box that the pixels show of the image.

        View 0, 0, 1, 1 is the whole image; .25, 0, .75, 1 is the centre square of an image twice as wide as high.
        """

    @abstractmethod
    def forward(self, pixels: Shaped[Tensor, "B *n 3 h w"], view: Float[Tensor, "B *n 4"]) -> Features:
        """Pixels and their view -> Features of width D, on the encoder's native grid."""

    def pool(self, features: Features) -> Features:
        """Native features -> features on the grid that the recipe asks for (`grid_size`). Fast, without parameters."""
        return features


ENCODERS: dict[str, type[Encoder]] = {}  # __init__.py fills this table; it is here because `concat` reads it
