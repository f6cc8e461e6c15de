"""Several encoders for the same photo, for ensembles and views: photos -> a tuple of Features.

Each encoder has its own transform and width. `showtell.cache` calls each of them, and never calls this one.
"""

from collections.abc import Sequence

from PIL import Image
from torch import Tensor, nn

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features


class Joined(Encoder):
    """`parts` are the encoders. `dim` is that of the first one."""

    several = True

    def __init__(self, parts: Sequence[Encoder]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        first = parts[0]
        self.dim, self.reloadable = first.dim, all(part.reloadable for part in parts)
        self.image_size = max(part.image_size for part in parts)
        self.trains, self.exact = any(part.trains for part in parts), any(part.exact for part in parts)

    @property
    def encoders(self) -> list[Encoder]:
        return [part for part in self.parts if isinstance(part, Encoder)]

    def join(self, features: Sequence[Features]) -> tuple[Features, ...]:
        return tuple(features)

    @property
    def fingerprint(self) -> str:
        return digest(tuple(part.fingerprint for part in self.encoders))

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        raise AssertionError("each part has its own transform")

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        raise AssertionError("each part encodes separately")
