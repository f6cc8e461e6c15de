"""Regions: many features of one image. A part wraps an encoder, or stands in its place, and is an encoder again.

One whose signature takes an encoder gets the recipe's; where it takes none, none is built (`recipe.build_encoder`).
"""

from collections.abc import Callable

from showtell.encoders.encoder import Encoder
from showtell.regions.detector import Detector
from showtell.regions.precomputed import Precomputed
from showtell.regions.windows import Windows


def none(encoder: Encoder) -> Encoder:
    """The encoder as it is: its grid is what the decoder gets."""
    return encoder


REGIONS: dict[str, Callable[..., Encoder]] = {
    "none": none,
    "windows": Windows,
    "detector": Detector,
    "precomputed": Precomputed,
}
