"""The contract of every encoder: pixels -> Features. It owns its transform, and the transform is deterministic."""

from abc import ABC, abstractmethod

from PIL import Image
from torch import Tensor, nn

from showtell.features import Features


class Encoder(nn.Module, ABC):
    """An encoder is built as `Encoder(*, ...)`; its keyword arguments are what a recipe may set."""

    dim: int  # D of tokens and of pooled
    trains: bool  # whether any parameter trains: then nothing of it is cached
    fingerprint: str  # digest of everything the features depend on: architecture, weights, transform
    reloadable: bool  # whether frozen weights can be had again from their named source

    @abstractmethod
    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        """An upright RGB image -> pixels (3 h w) uint8 and view (4): the part of the image that the pixels show."""

    @abstractmethod
    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        """Pixels (B 3 h w) uint8 and view (B 4) -> Features of one width D."""
