"""Thumbnails -> pairs of photos that show the same picture: re-encoded, resized, brighter, grey, or slightly cropped.

First every pair is compared by 16 x 16 grey cells, mean and contrast taken out: one matrix product for each pair of
blocks, also with 3 of 64 pixels cut off the one on all sides. Landscapes are alike at that size, so what remains is
compared by its fine detail: 32 x 32 cells less their own blur, under 81 crops of each. The detail of two different
photos correlates at .7 at most (runways from the air), that of a copy at .9 and more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from showtell.doctor.photos import PLAIN, SIDE

CELLS, DETAIL, INNER = 16, 32, 3
ALIKE, ALIKE_CROPPED = 0.9, 0.93  # by cells: worth a look; worth a look under all crops
SAME = 0.85  # by detail: the same picture
SAME_COLOURS, COLOURLESS = (
    0.8,
    6.0,
)  # cosine of what red and blue differ from green by; a deviation, of 255, that means nothing
BLOCK = 2048  # photos compared with as many at once
MOST = 200_000  # pairs that are looked at closely
MARGINS = (0.0, 0.03, 0.06)  # cut off a side


class Pair(NamedTuple):
    first: int
    second: int
    likeness: float


class Candidates(NamedTuple):
    """Pairs worth a close look, the most alike first; `dropped` more were too many."""

    pairs: list[Pair]
    dropped: int


def candidates(thumbs: np.ndarray, advance: Callable[[int], None] = lambda photos: None) -> Candidates:
    """Of photos (P 64 64) those pairs whose cells are alike; plain ones have none."""
    busy = np.flatnonzero(thumbs.std((1, 2)) >= PLAIN)
    whole = _cells(thumbs[busy])
    inner = _cells(thumbs[busy], INNER)
    found, dropped = np.empty((0, 3), np.float32), 0
    for start, block in _compared(whole, inner):
        first, second = np.nonzero(block >= ALIKE)
        pairs = np.stack([busy[first + start[0]], busy[second + start[1]], block[first, second]], 1)
        found = np.concatenate([found, pairs[pairs[:, 0] < pairs[:, 1]]])
        if len(found) > 2 * MOST:
            found, dropped = found[np.argsort(-found[:, 2])[:MOST]], dropped + len(found) - MOST
        if start[0] == start[1]:
            advance(len(block))
    found = found[np.argsort(-found[:, 2], kind="stable")]
    dropped += max(0, len(found) - MOST)
    return Candidates([Pair(int(a), int(b), float(c)) for a, b, c in found[:MOST]], dropped)


def _compared(whole: np.ndarray, inner: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """((first row, first column), likeness of each with each) for all blocks on and above the diagonal."""
    for row in range(0, len(whole), BLOCK):
        a, a_inner = whole[row : row + BLOCK], inner[row : row + BLOCK]
        for column in range(row, len(whole), BLOCK)[::-1]:
            b, b_inner = whole[column : column + BLOCK], inner[column : column + BLOCK]
            alike = a @ b.T
            np.maximum(alike, a_inner @ b.T, out=alike)
            np.maximum(alike, a @ b_inner.T, out=alike)
            yield (row, column), alike


def _cells(thumbs: np.ndarray, margin: int = 0) -> np.ndarray:
    """Unit vectors (P 256) of a mean of 0; `margin` pixels are cut off all sides."""
    rows = _resample(margin / SIDE, margin / SIDE, CELLS)
    found = np.empty((len(thumbs), CELLS * CELLS), np.float32)
    for start in range(0, len(thumbs), BLOCK):
        cells = (rows @ thumbs[start : start + BLOCK].astype(np.float32) @ rows.T).reshape(-1, CELLS * CELLS)
        found[start : start + BLOCK] = cells - cells.mean(1, keepdims=True)
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)


def same_picture(a: np.ndarray, b: np.ndarray, cropped: bool = True) -> bool:
    """Whether two grey thumbnails (64 64) show one picture; `cropped`: also if one was cut out of the other."""
    with _one_thread():
        first, second = (torch.from_numpy(thumb.astype(np.float32)) for thumb in (a, b))
        if float(torch.cosine_similarity(_detail(first).flatten(), _detail(second).flatten(), dim=0)) >= SAME:
            return True
        return cropped and max(_best_crop(first, second), _best_crop(second, first)) >= SAME


@contextmanager
def _one_thread() -> Iterator[None]:
    """For products so small that the threads of a busy machine would wait for each other a hundred times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def same_colours(a: np.ndarray, b: np.ndarray) -> bool:
    """Of two tints (8 8 3), whether what one shows in red is not blue in the other; grey goes with all colours."""
    first, second = (_chroma(tint.astype(np.float32)) for tint in (a, b))
    if min(np.sqrt((first**2).mean()), np.sqrt((second**2).mean())) < COLOURLESS:
        return True
    return _cosine(first, second) >= SAME_COLOURS


def _chroma(tint: np.ndarray) -> np.ndarray:
    """How red and how blue each place is beside the others: a cast over the whole photo is no difference."""
    chroma = tint[..., [0, 2]] - tint[..., [1]]
    return chroma - chroma.mean((0, 1))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-6))


def _resample(before: float, after: float, cells: int) -> np.ndarray:
    """(cells SIDE): the mean of what lies in each cell, of a side less the shares `before` and `after`."""
    edges = np.linspace(before * SIDE, (1 - after) * SIDE, cells + 1)
    pixels = np.arange(SIDE)
    overlap = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    return (overlap.clip(0) / (edges[1] - edges[0])).astype(np.float32)


def _blur() -> np.ndarray:
    """(DETAIL DETAIL): the mean of a cell and of two on both its sides."""
    near = np.abs(np.subtract.outer(np.arange(DETAIL), np.arange(DETAIL))) <= 2
    return (near / near.sum(1, keepdims=True)).astype(np.float32)


WHOLE = torch.from_numpy(_resample(0, 0, DETAIL))
CROPS = torch.from_numpy(np.concatenate([_resample(before, after, DETAIL) for before in MARGINS for after in MARGINS]))
BLUR = torch.from_numpy(_blur())
WHOLE_SOFT, CROPS_SOFT = BLUR @ WHOLE, (BLUR @ CROPS.view(-1, DETAIL, SIDE)).view(-1, SIDE)


def _detail(thumb: Tensor) -> Tensor:
    return WHOLE @ thumb @ WHOLE.T - WHOLE_SOFT @ thumb @ WHOLE_SOFT.T


def _best_crop(of: Tensor, like: Tensor) -> float:
    """The largest cosine between the detail of `like` and that of any of the 81 crops of `of`."""
    crops = (CROPS @ of @ CROPS.T - CROPS_SOFT @ of @ CROPS_SOFT.T).view(-1, DETAIL, len(CROPS) // DETAIL, DETAIL)
    detail = _detail(like)
    dots = (crops * detail[:, None]).sum((1, 3))
    norms = crops.square().sum((1, 3)).sqrt() * detail.norm()
    return float((dots / norms.clamp(min=1e-6)).max())
