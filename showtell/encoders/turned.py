"""An encoder that sees every photo turned or mirrored: what data augmentation is where features are cached.

The turned photo is an image of its own: its boxes are fractions of itself. Unusual: a photo whose captions speak of
directions is not turned, since they would no longer be true.
"""

import re
from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features

Turn = Image.Transpose
FLIP = (Turn.FLIP_LEFT_RIGHT,)
QUARTERS = (Turn.ROTATE_90, Turn.ROTATE_180, Turn.ROTATE_270)
TURNS: dict[str, tuple[Turn, ...]] = {  # beside the upright photo
    "none": (),
    "flip": FLIP,
    "d4": (*FLIP, *QUARTERS, Turn.FLIP_TOP_BOTTOM, Turn.TRANSPOSE, Turn.TRANSVERSE),
}
SIDES = r"\b(left|right)(-?hand|most|wards?)?\b"
DIRECTIONS = rf"{SIDES}|\b(top|bottom|upper|lower|above|below|beneath|under|vertical|horizontal|north|south|east|west)"
WORDS = {"none": SIDES, "flip": SIDES, "d4": DIRECTIONS}


class Turned(Encoder):
    """`encoder` on photos that are turned first; both share their weights."""

    def __init__(self, encoder: Encoder, turn: Turn) -> None:
        super().__init__()
        self.encoder, self.turn = encoder, turn
        self.dim, self.image_size, self.reloadable = encoder.dim, encoder.image_size, encoder.reloadable
        self.trains, self.count, self.places, self.exact = encoder.trains, encoder.count, encoder.places, encoder.exact

    @property
    def fingerprint(self) -> str:
        return digest((self.encoder.fingerprint, self.turn.name))

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        return self.encoder.transform(image.transpose(self.turn))

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        features: Features = self.encoder(pixels, view)
        return features

    def pool(self, features: Features) -> Features:
        return self.encoder.pool(features)


def stays_upright(captions: Sequence[str], turns: str) -> bool:
    """Whether the captions say what a turned photo would not show.

    >>> stays_upright(["a dog on the left of a man"], "flip"), stays_upright(["a dog right-hand of him"], "flip")
    (True, True)
    >>> stays_upright(["a bird above the sea"], "flip"), stays_upright(["a bird above the sea"], "d4")
    (False, True)
    """
    return any(re.search(WORDS[turns], text, re.IGNORECASE) for text in captions)
