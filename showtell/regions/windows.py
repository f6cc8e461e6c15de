"""Ten windows of a photo, each encoded separately: regions without a detector.

The first window is the whole photo. The other nine are half as wide and high, form a 3 x 3 grid, and overlap by half.
Window 5 is at the same place in every photo, so a decoder that knows regions only by number (`topdown`) can learn what
each number means.
"""

from PIL import Image
from torch import Tensor

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features
from showtell.regions.crops import Box, Crops, Pool

STARTS = (0.0, 0.25, 0.5)
WINDOWS = [(0.0, 0.0, 1.0, 1.0)] + [(x, y, x + 0.5, y + 0.5) for y in STARTS for x in STARTS]


class Windows(Crops):
    """`pool` gives the pooled vector: max or mean over the windows, or the vector of the whole photo (none)."""

    def __init__(self, encoder: Encoder, *, pool: Pool = "max") -> None:
        super().__init__(encoder, "windows", pool)
        self.count = len(WINDOWS)

    @property
    def fingerprint(self) -> str:
        return digest(("windows", WINDOWS, self.encoder.fingerprint))

    def boxes(self, image: Image.Image) -> list[Box | None]:
        return list(windows(*image.size))

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        vectors = self.vectors(pixels, view)
        mask = view.new_ones(view.shape[:2]).bool()
        return Features(vectors, mask, vectors[:, 0], view)


def windows(width: int, height: int) -> list[Box]:
    """The windows in whole pixels. Every window has at least one pixel, even if the photo is tiny.

    >>> windows(8, 4)[:3]
    [(0, 0, 8, 4), (0, 0, 4, 2), (2, 0, 6, 2)]
    """
    sides = [(_side(left, right, width), _side(top, bottom, height)) for left, top, right, bottom in WINDOWS]
    return [(left, top, right, bottom) for (left, right), (top, bottom) in sides]


def _side(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(int(start * length), length - 1)
    return first, max(int(end * length + 0.5), first + 1)
