"""An encoder for augmented photos (mirrored, rotated or cropped): data augmentation that works with cached features.

Boxes are fractions of the augmented image, not of the original. Unusual: a photo is not augmented if its captions name
directions, because `a dog on the left` is wrong for the mirror image.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features, Seen

Turn = Image.Transpose
Part = tuple[float, float, float, float]  # left, top, right and bottom, as fractions of the photo


class View(NamedTuple):
    """One way to augment a photo: crop it to `part`, then apply `turn`."""

    turn: Turn | None
    part: Part | None = None

    @property
    def name(self) -> str:
        turn = "" if self.turn is None else self.turn.name
        return turn if self.part is None else f"{turn} {self.part}"

    def of(self, image: Image.Image) -> Image.Image:
        if self.part is not None:
            sizes = image.size * 2
            left, top, right, bottom = (round(edge * size) for edge, size in zip(self.part, sizes, strict=True))
            image = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        return image if self.turn is None else image.transpose(self.turn)


MIRROR = Turn.FLIP_LEFT_RIGHT
QUARTERS = (Turn.ROTATE_90, Turn.ROTATE_180, Turn.ROTATE_270)
CORNERS = (
    View(None, (0.0, 0.0, 0.8, 0.8)),
    View(MIRROR, (0.2, 0.0, 1.0, 0.8)),
    View(MIRROR, (0.0, 0.2, 0.8, 1.0)),
    View(None, (0.2, 0.2, 1.0, 1.0)),
)
Views = Literal["none", "flip", "crops", "d4"]
VIEWS: dict[str, tuple[View, ...]] = {  # in addition to the upright photo; d4 is the symmetry group of the square
    "none": (),
    "flip": (View(MIRROR),),
    "crops": (View(MIRROR), *CORNERS),
    "d4": tuple(View(turn) for turn in (MIRROR, *QUARTERS, Turn.FLIP_TOP_BOTTOM, Turn.TRANSPOSE, Turn.TRANSVERSE)),
}
SIDES = r"\b(left|right)(-?hand|most|wards?)?\b"
DIRECTIONS = rf"{SIDES}|\b(top|bottom|upper|lower|above|below|beneath|under|vertical|horizontal|north|south|east|west)"
WORDS = {"none": SIDES, "flip": SIDES, "crops": SIDES, "d4": DIRECTIONS}


class Turned(Encoder):
    """`encoder` applied to one view of every photo. It shares the weights of `encoder`."""

    def __init__(self, encoder: Encoder, view: View) -> None:
        super().__init__()
        self.encoder, self.view = encoder, view
        self.dim, self.image_size, self.reloadable = encoder.dim, encoder.image_size, encoder.reloadable
        self.trains, self.count, self.places, self.exact = encoder.trains, encoder.count, encoder.places, encoder.exact
        self.several = encoder.several

    @property
    def encoders(self) -> list[Encoder]:
        return [Turned(part, self.view) for part in self.encoder.encoders]

    def join(self, features: Sequence[Features]) -> Seen:
        return self.encoder.join(features)

    @property
    def fingerprint(self) -> str:
        return digest((self.encoder.fingerprint, self.view.name))

    def transform(self, image: Image.Image) -> tuple[Shaped[Tensor, "*n 3 h w"], Float[Tensor, "*n 4"]]:
        return self.encoder.transform(self.view.of(image))

    def forward(self, pixels: Shaped[Tensor, "B *n 3 h w"], view: Float[Tensor, "B *n 4"]) -> Features:
        features: Features = self.encoder(pixels, view)
        return features

    def pool(self, features: Features) -> Features:
        return self.encoder.pool(features)


def stays_upright(captions: Sequence[str], turns: str) -> bool:
    """Whether the captions name directions that would be wrong for an augmented photo.

    >>> stays_upright(["a dog on the left of a man"], "flip"), stays_upright(["a dog right-hand of him"], "flip")
    (True, True)
    >>> stays_upright(["a bird above the sea"], "flip"), stays_upright(["a bird above the sea"], "d4")
    (False, True)
    """
    return any(re.search(WORDS[turns], text, re.IGNORECASE) for text in captions)
