"""Opens every photo once -> the reason if it cannot be read, otherwise its oddities, digest and thumbnails.

Only the thumbnails stay in memory, 4.3 kB per photo.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from rich.console import Console

from showtell.cache.contents import digest_file
from showtell.data.images import ORIENTATION, TURNS, open_image, read_header
from showtell.data.record import LeftOut, Record
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.progress import Bar

SIDE, TINT_SIDE = 64, 8  # pixels: sides of the grey thumbnail and of the coloured one
TINY, HUGE, LONGISH = 32, 4_000, 3  # pixels of the shorter side, of the longer side; longer side / shorter side
GREYISH, PLAIN = 4, 2  # of 255: largest difference between two channels, standard deviation of the grey values
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Seen:
    """A readable photo: `thumb` (64 64) is grey, `tint` (8 8 3) is in colour, `odd` lists what is unusual."""

    record: Record
    size: tuple[int, int]
    odd: tuple[str, ...]
    digest: str
    thumb: np.ndarray
    tint: np.ndarray


def see_all(records: Sequence[Record], console: Console | None = None) -> tuple[list[Seen], list[LeftOut]]:
    """The readable photos in order, and the unreadable ones with reasons."""
    seen: list[Seen] = []
    unreadable: list[LeftOut] = []
    bar = Bar(console or Plain(stderr=True), "opening", len(records), "photo", show=console is not None)
    with bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of huge photos and broken EXIF; `open_image` handles both
        for record, result in zip(records, _on_all_cores(see, records), strict=True):
            bar.advance()
            if isinstance(result, Seen):
                seen.append(result)
            else:
                unreadable.append(LeftOut(record.image_id, result))
    return seen, unreadable


def _on_all_cores(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Results in order. At most 4 items per core are computed ahead, so results do not pile up in memory."""
    waiting, workers = iter(items), os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        ahead = deque(pool.submit(work, item) for item in islice(waiting, 4 * workers))
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(work, item) for item in islice(waiting, 1))
        finally:
            for future in ahead:
                future.cancel()


def see(record: Record) -> Seen | str:
    """The opened photo, or the reason why it cannot be read."""
    try:
        image = open_image(record.path, at_least=2 * SIDE)
    except Unreadable as error:
        return error.reason
    size, odd_header = _read_header(record.path)
    digest = digest_file(record.path)
    if digest is None or not all(size):
        return "changed while it was read"
    thumb = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    tint = np.asarray(image.resize((TINT_SIDE, TINT_SIDE), Image.Resampling.BOX))
    odd = (*odd_header, *_odd_size(size), *_odd_pixels(image, thumb))
    return Seen(record, size, tuple(dict.fromkeys(odd)), digest, thumb, tint)


def _read_header(path: Path) -> tuple[tuple[int, int], list[str]]:
    """(size, oddities). The size is (0, 0) if the file has changed and can no longer be read."""
    try:
        with path.open("rb") as file:
            image = read_header(file)
            return image.size, list(_odd_header(image, path))
    except Exception:  # on damaged files, Pillow may raise any error
        return (0, 0), []


def _odd_header(image: Any, path: Path) -> Iterator[str]:
    if TURNS.get(image.getexif().get(ORIENTATION, 1)) is not None:
        yield "turned by EXIF"
    if "16" in f"{image.mode} {[tile[-1] for tile in image.tile]}" or image.mode in ("I", "F"):
        yield "16 bits or more"
    if image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;"):
        yield "grey"
    if image.mode == "CMYK":
        yield "CMYK"
    if image.has_transparency_data:
        yield "transparent"
    if getattr(image, "is_animated", False) and image.format != "MPO":
        yield "animated"
    if path.suffix.lower() not in SUFFIXES.get(image.format, (path.suffix.lower(),)):
        yield "wrong suffix"


def _odd_size(size: tuple[int, int]) -> Iterator[str]:
    if min(size) < TINY:
        yield "tiny"
    if max(size) > HUGE:
        yield "huge"
    if max(size) >= LONGISH * min(size):
        yield "long and narrow"


def _odd_pixels(image: Image.Image, thumb: np.ndarray) -> Iterator[str]:
    small = np.asarray(image.resize((32, 32), Image.Resampling.BOX), dtype=np.int16)
    if (small.max(2) - small.min(2)).max() <= GREYISH:
        yield "grey"
    if thumb.std() < PLAIN:
        yield "plain"
