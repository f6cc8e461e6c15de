"""Regions: several feature vectors per image. A part wraps the recipe's encoder or replaces it, and is an encoder.

If a part's signature has an `encoder`, it gets the recipe's encoder; otherwise no encoder is built
(`recipe.build_encoder`).
"""

from collections.abc import Callable

from showtell.encoders.encoder import Encoder
from showtell.regions.detector import Detector
from showtell.regions.precomputed import Precomputed
from showtell.regions.windows import Windows


def none(encoder: Encoder) -> Encoder:
    """The encoder itself: the decoder reads its grid."""
    return encoder


REGIONS: dict[str, Callable[..., Encoder]] = {
    "none": none,
    "windows": Windows,
    "detector": Detector,
    "precomputed": Precomputed,
}
