"""An attention map and its boxes -> light on the photo, where the boxes say.

Where a word looked, the photo keeps its colours and glows a little; elsewhere it turns dark and grey. So the picture
still shows what was looked at, which a colour map laid over it would hide.
A box's edges are soft: its weight falls off as the normal distribution does, so that the boxes of a grid melt into one
another and sum to the same everywhere; regions of any size and place are drawn by the same rule.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SOFTNESS = 0.45  # deviation of an edge, in widths of its box
DETAIL = 96  # heat is computed at so many pixels on the longer side, then enlarged
SHADE = 0.38  # how bright the photo stays where nobody looks
GLOW = (0.34, 0.22, 0.06)  # a warm light, or a night photo would show nothing
LUMINANCE = (0.299, 0.587, 0.114)


def overlay(image: Image.Image, weights: Tensor, boxes: Tensor, side: int = 320) -> Image.Image:
    """The photo with light where weights (N) at boxes (N 4) are; its longer side becomes `side` pixels.

    The brightest place is the largest weight: pictures of two words compare places, not strengths.
    """
    photo = thumbnail(image, side)
    light = _enlarged(heat(weights, boxes, photo.size), photo.size)
    pixels = np.asarray(photo, dtype=np.float32) / 255
    dark = pixels @ np.array(LUMINANCE, dtype=np.float32)[:, None] * SHADE
    bright = 1 - (1 - pixels) * (1 - light * np.array(GLOW, dtype=np.float32))
    mixed = dark * (1 - light) + bright * light
    return Image.fromarray((mixed * 255).round().clip(0, 255).astype(np.uint8))


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """The image with a longer side of `side` pixels; a drawing of 64 is enlarged, too."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def heat(weights: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Weights (N) at boxes (N 4) -> a map (h w) from 0 to 1 in the proportions of `size` (width, height)."""
    scale = DETAIL / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    across = _inside(boxes[:, 0], boxes[:, 2], width)  # N w
    down = _inside(boxes[:, 1], boxes[:, 3], height)  # N h
    total = torch.einsum("n,nh,nw->hw", weights.float(), down, across)
    return total / total.max().clamp(min=1e-12)


def _inside(start: Tensor, end: Tensor, length: int) -> Tensor:
    """How much each of `length` pixels lies between start and end (N), fractions of the side -> (N length)."""
    places = (torch.arange(length) + 0.5) / length
    deviation = ((end - start) * SOFTNESS).clamp(min=1e-6)[:, None]
    # At the photo's own border a box does not fade: nothing lies beyond that it could melt into.
    start = start.masked_fill(start <= 1e-3, -torch.inf)[:, None]
    end = end.masked_fill(end >= 1 - 1e-3, torch.inf)[:, None]
    return torch.special.ndtr((places - start) / deviation) - torch.special.ndtr((places - end) / deviation)


def _enlarged(values: Tensor, size: tuple[int, int]) -> np.ndarray:
    """(h w) -> (height width 1) by smooth interpolation."""
    large = Image.fromarray(values.numpy()).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(large).clip(0, 1)[..., None]
