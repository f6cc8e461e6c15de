"""Blacken parts of a picture, to see how much a captioner needs them."""

import numpy as np
from numpy.typing import NDArray

from showtell.plumbing.errors import InputError

PATCH = 16  # pixels


def black_patches(
    image: NDArray[np.uint8], percent: float, patch: int = PATCH, seed: int | None = None
) -> NDArray[np.uint8]:
    """A copy in which whole patches are black, drawn at random without the same one twice.

    A picture of 64 x 48 has 4 x 3 whole patches of 16; 50 percent blackens 6 of them. What remains at the edges stays.
    """
    if not 0 <= percent <= 100:
        raise InputError(key="mask_percentage", value=percent, takes="0 to 100")
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    count = int(percent / 100 * rows * columns)
    made = image.copy()
    for place in np.random.default_rng(seed).permutation(rows * columns)[:count]:
        top, left = patch * (place // columns), patch * (place % columns)
        made[top : top + patch, left : left + patch] = 0
    return made
