"""Thumbnails -> pairs of photos that show the same picture: re-encoded, resized, brighter, grey, or slightly cropped.

Step 1, coarse, for all pairs: shrink each thumbnail to 16 x 16 grey cells, subtract the mean, scale to length 1, and
take the cosine. It does not depend on brightness and contrast. To find crops, also compare with the other photo's
centre (3 of 64 pixels removed on each side). One matrix product compares two blocks of photos.

Step 2, fine, for pairs with a cosine of 0.9 or more, because different landscapes look alike in 16 x 16 cells: compute
32 x 32 cells, subtract their blur (what remains is edges and texture), and take the cosine over 81 crops of each photo.
Two different photos reach at most 0.7 (runways from the air), a copy 0.9 and more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from showtell.doctor.photos import PLAIN, SIDE

CELLS, DETAIL, INNER = 16, 32, 3
ALIKE, ALIKE_CROPPED = 0.9, 0.93  # least coarse cosine for step 2, and for step 2 with crops
SAME = 0.85  # least fine cosine of two photos of the same picture
# Least cosine of two photos' colours. A photo whose colours deviate less than 6 (of 255) counts as grey.
SAME_COLOURS, COLOURLESS = 0.8, 6.0
BLOCK = 2048  # one product compares 2,048 photos with 2,048
MOST = 200_000  # pairs that step 2 compares
MARGINS = (0.0, 0.03, 0.06)  # what a crop removes of each side, as a fraction: 3^4 = 81 crops


class Pair(NamedTuple):
    first: int
    second: int
    likeness: float


class Candidates(NamedTuple):
    """Pairs for step 2, the most similar first, at most MOST of them. `dropped` counts the pairs beyond that limit."""

    pairs: list[Pair]
    dropped: int


def candidates(thumbs: np.ndarray, advance: Callable[[int], None] = lambda photos: None) -> Candidates:
    """Step 1: the similar pairs of P thumbnails (P 64 64). Photos of one plain colour are in no pair."""
    busy = np.flatnonzero(thumbs.std((1, 2)) >= PLAIN)
    whole = _cells(thumbs[busy])
    inner = _cells(thumbs[busy], INNER)
    best, dropped = np.empty((0, 3), np.float32), 0
    for start, block in _compared(whole, inner):
        first, second = np.nonzero(block >= ALIKE)
        pairs = np.stack([busy[first + start[0]], busy[second + start[1]], block[first, second]], 1)
        best = np.concatenate([best, pairs[pairs[:, 0] < pairs[:, 1]]])
        if len(best) > 2 * MOST:
            best, dropped = best[np.argsort(-best[:, 2])[:MOST]], dropped + len(best) - MOST
        if start[0] == start[1]:
            advance(len(block))
    best = best[np.argsort(-best[:, 2], kind="stable")]
    dropped += max(0, len(best) - MOST)
    return Candidates([Pair(int(a), int(b), float(c)) for a, b, c in best[:MOST]], dropped)


def _compared(whole: np.ndarray, inner: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """All blocks of the P x P similarity matrix on and above its diagonal: ((first row, first column), cosines)."""
    for row in range(0, len(whole), BLOCK):
        a, a_inner = whole[row : row + BLOCK], inner[row : row + BLOCK]
        for column in range(row, len(whole), BLOCK)[::-1]:
            b, b_inner = whole[column : column + BLOCK], inner[column : column + BLOCK]
            alike = a @ b.T
            np.maximum(alike, a_inner @ b.T, out=alike)
            np.maximum(alike, a @ b_inner.T, out=alike)
            yield (row, column), alike


def _cells(thumbs: np.ndarray, margin: int = 0) -> np.ndarray:
    """16 x 16 cells as vectors (P 256) of mean 0 and length 1; `margin` pixels are removed on each side first."""
    rows = _resample(margin / SIDE, margin / SIDE, CELLS)
    vectors = np.empty((len(thumbs), CELLS * CELLS), np.float32)
    for start in range(0, len(thumbs), BLOCK):
        cells = (rows @ thumbs[start : start + BLOCK].astype(np.float32) @ rows.T).reshape(-1, CELLS * CELLS)
        vectors[start : start + BLOCK] = cells - cells.mean(1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def same_picture(a: np.ndarray, b: np.ndarray, cropped: bool = True) -> bool:
    """Step 2: whether two grey thumbnails (64 64) show the same picture. `cropped` also tries crops of each."""
    with _one_thread():
        first, second = (torch.from_numpy(thumb.astype(np.float32)) for thumb in (a, b))
        if float(torch.cosine_similarity(_detail(first).flatten(), _detail(second).flatten(), dim=0)) >= SAME:
            return True
        return cropped and max(_best_crop(first, second), _best_crop(second, first)) >= SAME


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread. On a busy machine, threads would wait 100 times longer than these tiny products take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def same_colours(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two tints (8 8 3) have similar colours at the same places. A grey photo matches all colours."""
    first, second = (_chroma(tint.astype(np.float32)) for tint in (a, b))
    if min(np.sqrt((first**2).mean()), np.sqrt((second**2).mean())) < COLOURLESS:
        return True
    return _cosine(first, second) >= SAME_COLOURS


def _chroma(tint: np.ndarray) -> np.ndarray:
    """Red - green and blue - green of each place, less their mean, so that a colour cast of the whole photo cancels."""
    chroma = tint[..., [0, 2]] - tint[..., [1]]
    return chroma - chroma.mean((0, 1))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6))


def _resample(before: float, after: float, cells: int) -> np.ndarray:
    """(cells SIDE): a matrix that averages the pixels of a side into cells; fractions `before`, `after` are cut off.

    A side of 4 pixels in 2 cells would be [[.5, .5, 0, 0], [0, 0, .5, .5]].
    """
    edges = np.linspace(before * SIDE, (1 - after) * SIDE, cells + 1)
    pixels = np.arange(SIDE)
    overlap = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    return (overlap.clip(0) / (edges[1] - edges[0])).astype(np.float32)


def _blur() -> np.ndarray:
    """(DETAIL DETAIL): a matrix that averages each cell with two neighbours on each side."""
    near = np.abs(np.subtract.outer(np.arange(DETAIL), np.arange(DETAIL))) <= 2
    return (near / near.sum(1, keepdims=True)).astype(np.float32)


WHOLE = torch.from_numpy(_resample(0, 0, DETAIL))
CROPS = torch.from_numpy(np.concatenate([_resample(before, after, DETAIL) for before in MARGINS for after in MARGINS]))
BLUR = torch.from_numpy(_blur())
WHOLE_SOFT, CROPS_SOFT = BLUR @ WHOLE, (BLUR @ CROPS.view(-1, DETAIL, SIDE)).view(-1, SIDE)


def _detail(thumb: Tensor) -> Tensor:
    return WHOLE @ thumb @ WHOLE.T - WHOLE_SOFT @ thumb @ WHOLE_SOFT.T


def _best_crop(of: Tensor, like: Tensor) -> float:
    """The largest cosine between the detail of `like` and the detail of any of the 81 crops of `of`."""
    crops = (CROPS @ of @ CROPS.T - CROPS_SOFT @ of @ CROPS_SOFT.T).view(-1, DETAIL, len(CROPS) // DETAIL, DETAIL)
    detail = _detail(like)
    dots = (crops * detail[:, None]).sum((1, 3))
    norms = crops.square().sum((1, 3)).sqrt() * detail.norm()
    return float((dots / norms.clamp(min=1e-6)).max())
