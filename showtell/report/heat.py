"""Attention weights and their boxes -> the photo, bright where the weights are.

Where the model looked, the photo keeps its colours and glows a little. Elsewhere it turns dark and grey. A colour map
over the photo would hide what the model looked at.
A box has soft edges: its weight falls off like a normal distribution. So the boxes of a grid melt into each other, and
equal weights give an even light. The same rule draws regions of any size and place.
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

SOFTNESS = 0.45  # standard deviation of an edge, in widths of its box
DETAIL = 96  # pixels of the heat map's longer side; then it is enlarged
SHADE = 0.38  # brightness of the photo where the model did not look
GLOW = (0.34, 0.22, 0.06)  # a warm light; without it a night photo would show nothing
BORDER = (255, 214, 64)  # of regions
SLIGHT = 0.2  # of the largest weight; regions below it have no border
LUMINANCE = (0.299, 0.587, 0.114)


def overlay(image: Image.Image, weights: Tensor, boxes: Tensor, side: int = 320, smooth: bool = True) -> Image.Image:
    """The photo, bright where the weights (N) of the boxes (N 4) are large. Its longer side becomes `side` pixels.

    The largest weight of each picture gets full light. So two pictures show different places, not different strengths.
    Weights below 0 stay dark.
    """
    photo = thumbnail(image, side)
    light = _enlarged(heat(weights, boxes, photo.size, smooth), photo.size, smooth)
    pixels = np.asarray(photo, dtype=np.float32) / 255
    dark = pixels @ np.array(LUMINANCE, dtype=np.float32)[:, None] * SHADE
    bright = 1 - (1 - pixels) * (1 - light * np.array(GLOW, dtype=np.float32))
    mixed = dark * (1 - light) + bright * light
    return Image.fromarray((mixed * 255).round().clip(0, 255).astype(np.uint8))


def are_regions(boxes: Tensor) -> bool:
    """Whether the boxes (N 4) are regions of any size and place, not the cells of a grid."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    alike = bool((sizes - sizes[:1]).abs().max() < 1e-3)
    return not (alike and float(sizes.prod(1).sum()) < 1.01)


def outlined(picture: Image.Image, weights: Tensor, boxes: Tensor, count: int = 3) -> Image.Image:
    """The picture with the borders of the boxes that have the largest weights; the heavier, the thicker."""
    picture = picture.copy()
    brush = ImageDraw.Draw(picture)
    width, height = picture.size
    strongest = weights.clamp(min=0).topk(min(count, len(weights)))
    for weight, place in zip(strongest.values.tolist(), strongest.indices.tolist(), strict=True):
        if weight < SLIGHT * float(strongest.values[0]):
            continue
        left, top, right, bottom = boxes[place].tolist()
        corners = (left * width, top * height, right * width - 1, bottom * height - 1)
        thick = max(1, round(max(picture.size) / 80 * weight / max(float(strongest.values[0]), 1e-12)))
        brush.rectangle(corners, outline=BORDER, width=thick)
    return picture


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """The image with a longer side of `side` pixels. A smaller image is enlarged."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def heat(weights: Tensor, boxes: Tensor, size: tuple[int, int], smooth: bool = True) -> Tensor:
    """Weights (N) of boxes (N 4) -> a map (h w) from 0 to 1, in the proportions of `size` (width, height)."""
    scale = DETAIL / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    softness = SOFTNESS if smooth else 0.0
    across = _inside(boxes[:, 0], boxes[:, 2], width, softness)  # N w
    down = _inside(boxes[:, 1], boxes[:, 3], height, softness)  # N h
    total = torch.einsum("n,nh,nw->hw", weights.float().clamp(min=0), down, across)
    return total / total.max().clamp(min=1e-12)


def _inside(start: Tensor, end: Tensor, length: int, softness: float) -> Tensor:
    """How much each of `length` pixels lies between start and end (N) -> (N length).

    Start and end are fractions of the side. The result is about .5 at an edge of a box, .73 in its middle, 0 far away.
    """
    places = (torch.arange(length) + 0.5) / length
    deviation = ((end - start) * softness).clamp(min=1e-6)[:, None]
    # A box does not fade at the photo's border, because no other box follows there.
    start = start.masked_fill(start <= 1e-3, -torch.inf)[:, None]
    end = end.masked_fill(end >= 1 - 1e-3, torch.inf)[:, None]
    return torch.special.ndtr((places - start) / deviation) - torch.special.ndtr((places - end) / deviation)


def _enlarged(values: Tensor, size: tuple[int, int], smooth: bool) -> np.ndarray:
    """(h w) -> (height width 1), interpolated if `smooth`."""
    way = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    large = Image.fromarray(values.numpy()).resize(size, way)
    return np.asarray(large).clip(0, 1)[..., None]
