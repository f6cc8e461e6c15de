"""Records -> every photo opened once: why it cannot be read, or what is odd about it, its digest and its thumbnails.

Thumbnails are all that stays in memory: 4.3 kB a photo.
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
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.progress import Bar

SIDE, TINT_SIDE = 64, 8  # pixels of the grey thumbnail and of the coloured one
TINY, HUGE, LONGISH = 32, 4_000, 3  # pixels of the shorter side, of the longer one; how many times as long as wide
GREYISH, PLAIN = 4, 2  # largest difference between channels; deviation of grey: of 255
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
}
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Seen:
    """A photo that can be read: `thumb` (64 64) is grey, `tint` (8 8 3) in colour, `odd` what is unusual about it."""

    record: Record
    size: tuple[int, int]
    odd: tuple[str, ...]
    digest: str
    thumb: np.ndarray
    tint: np.ndarray


def see_all(records: Sequence[Record], console: Console | None = None) -> tuple[list[Seen], list[LeftOut]]:
    """The photos that can be read, in order, and the others with the reason."""
    seen: list[Seen] = []
    unreadable: list[LeftOut] = []
    bar = Bar(console or Console(stderr=True), "opening", len(records), "photo", show=console is not None)
    with bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `open_image` has a limit of its own, and broken EXIF is forgiven
        for record, found in zip(records, _on_all_cores(see, records), strict=True):
            bar.advance()
            if isinstance(found, Seen):
                seen.append(found)
            else:
                unreadable.append(LeftOut(record.image_id, found))
    return seen, unreadable


def _on_all_cores(work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """In order, and never far ahead of who takes them."""
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
    """What was seen, or why there is nothing to see."""
    try:
        image = open_image(record.path, at_least=2 * SIDE)
    except Unreadable as error:
        return error.reason
    size, told = _read_header(record.path)
    digest = digest_file(record.path)
    if digest is None or not all(size):
        return "changed while it was read"
    thumb = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))
    tint = np.asarray(image.resize((TINT_SIDE, TINT_SIDE), Image.Resampling.BOX))
    odd = (*told, *_told_by_size(size), *_told_by_pixels(image, thumb))
    return Seen(record, size, tuple(dict.fromkeys(odd)), digest, thumb, tint)


def _read_header(path: Path) -> tuple[tuple[int, int], list[str]]:
    """Size and oddities of a photo that could be read a moment ago, (0, 0) if it no longer can."""
    try:
        with path.open("rb") as file:
            image = read_header(file)
            return image.size, list(_told_by_header(image, path))
    except Exception:  # damaged files make Pillow raise nearly anything
        return (0, 0), []


def _told_by_header(image: Any, path: Path) -> Iterator[str]:
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


def _told_by_size(size: tuple[int, int]) -> Iterator[str]:
    if min(size) < TINY:
        yield "tiny"
    if max(size) > HUGE:
        yield "huge"
    if max(size) >= LONGISH * min(size):
        yield "long and narrow"


def _told_by_pixels(image: Image.Image, thumb: np.ndarray) -> Iterator[str]:
    small = np.asarray(image.resize((32, 32), Image.Resampling.BOX), dtype=np.int16)
    if (small.max(2) - small.min(2)).max() <= GREYISH:
        yield "grey"
    if thumb.std() < PLAIN:
        yield "plain"
