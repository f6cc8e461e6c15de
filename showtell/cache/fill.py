"""Photos that a store does not hold yet -> its rows: read, squared, and encoded where the encoder is frozen.

On a CPU each core encodes a few photos by itself: that needs no waiting for each other inside every layer, and a few
photos at a time stay within the core's cache, which is twice as fast as 64.
"""

import errno
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from showtell.cache.store import Store, layout_of, row_bytes
from showtell.data.images import open_image
from showtell.encoders.encoder import Encoder
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.messages import count
from showtell.plumbing.progress import Bar

FLUSH_ROWS, FLUSH_SECONDS = 64, 2.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNREADABLE = "unreadable "  # begins the stand-in for a content's digest where the file gives none


class Made(NamedTuple):
    """The rows of a few photos, and for each content that gave none the reason."""

    contents: list[str]
    arrays: dict[str, Tensor]
    failed: dict[str, str]


def fill(store: Store, encoder: Encoder, wanted: Mapping[str, Path], console: Console) -> dict[str, str]:
    """Make the rows that are missing; returns why contents that have none could not be read.

    Raises InputError if the disk is too small or cannot be written.
    """
    pixels, view = encoder.transform(Image.new("RGB", (8, 8)))
    layout = layout_of(_make(encoder, pixels[None], view[None]))
    waiting = f"waiting for another process that writes to {store.folder}"
    with room(store.folder), store.writing(layout, lambda: console.print(waiting, soft_wrap=True)):
        missing = {content: path for content, path in wanted.items() if content not in store.rows}
        size = len(missing) * row_bytes(layout)
        _check_room(store.folder, size, len(missing))
        if missing:
            doing = "read" if encoder.trains else "encode"
            what = f"{count(len(missing), 'photo')} to {doing}, once"
            console.print(f"{what}: {_size(size)} in {store.folder}", soft_wrap=True)
        with Bar(console, "reading" if encoder.trains else "encoding", len(missing), "photo") as bar:
            return _write(store, _made(encoder, missing), bar)


def _write(store: Store, batches: Iterator[Made], bar: Bar) -> dict[str, str]:
    """Rows go to the disk when enough have gathered or some time has passed: a kill costs no more."""
    failed: dict[str, str] = {}
    waiting: list[Made] = []
    written = time.perf_counter()

    def flush() -> None:
        contents = [content for batch in waiting for content in batch.contents]
        store.append(contents, {name: torch.cat([b.arrays[name] for b in waiting]) for name in store.layout})
        waiting.clear()

    for batch in batches:
        bar.advance(len(batch.contents) + len(batch.failed))
        failed |= batch.failed
        if batch.contents:
            waiting.append(batch)
        enough = sum(len(b.contents) for b in waiting) >= FLUSH_ROWS or time.perf_counter() - written > FLUSH_SECONDS
        if enough and waiting:
            flush()
            written = time.perf_counter()
    if waiting:
        flush()
    return failed


def _made(encoder: Encoder, missing: Mapping[str, Path]) -> Iterator[Made]:
    """The rows of all photos, a batch at a time and in order, made a bounded way ahead."""
    turn, size = Lock(), batch_size(encoder)
    photos = iter(missing.items())
    batches = iter(lambda: list(islice(photos, size)), [])
    on_cores = device_of(encoder).type == "cpu" and not encoder.trains
    workers = torch.get_num_threads() if on_cores else os.cpu_count() or 1
    with _pool(workers) as pool:
        ahead = deque(pool.submit(_job, encoder, batch, turn) for batch in islice(batches, workers + 2))
        while ahead:
            made = ahead.popleft().result()
            ahead.extend(pool.submit(_job, encoder, batch, turn) for batch in islice(batches, 1))
            yield made


def _job(encoder: Encoder, photos: Sequence[tuple[str, Path]], turn: Lock) -> Made:
    contents, squares, failed = [], [], {}
    for content, path in photos:
        try:
            at_least = None if encoder.exact else 2 * encoder.image_size
            square = encoder.transform(open_image(path, at_least))
            if content.startswith(UNREADABLE):
                raise Unreadable(path, "changed while it was read")
        except Unreadable as error:
            failed[content] = error.reason
        else:
            contents.append(content)
            squares.append(square)
    if not squares:
        return Made([], {}, failed)
    if device_of(encoder).type == "cpu":
        return Made(contents, _make(encoder, *stack(squares)), failed)
    with turn:  # one batch at a time in an accelerator's memory
        return Made(contents, _make(encoder, *stack(squares)), failed)


def _make(encoder: Encoder, pixels: Tensor, view: Tensor) -> dict[str, Tensor]:
    """What is kept of a batch: the pixels themselves, or a frozen encoder's features, in fp16 unless it is exact."""
    if encoder.trains:
        return {"pixels": pixels, "view": view}
    device = device_of(encoder)
    features = encoder(pixels.to(device), view.to(device)).to(torch.device("cpu"))
    if not encoder.exact:
        features = features._replace(tokens=features.tokens.half(), pooled=features.pooled.half())
    return features._asdict()


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Threads in which torch uses one core each."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # what a worker sets holds for threads that start later, too


def stack(photos: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Pixels (3 h w) and view (4) of B photos -> (B 3 h w), (B 4)."""
    return torch.stack([pixels for pixels, _ in photos]), torch.stack([view for _, view in photos])


def device_of(encoder: Encoder) -> torch.device:
    return next(encoder.parameters()).device


def batch_size(encoder: Encoder) -> int:
    return 4 if device_of(encoder).type == "cpu" else 64


def _check_room(folder: Path, need: int, photos: int) -> None:
    free = shutil.disk_usage(folder).free
    if need > free:
        raise InputError(
            f"{photos:,} photos need {_size(need)} in {folder}, where {_size(free)} are free; "
            "free some, or set SHOWTELL_CACHE=DIR to a larger disk"
        )


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """A disk that is full or cannot be written becomes one clear error; what is cached stays good."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise InputError(
                f"{folder} is out of room after {len(Store(folder).rows):,} photos, which stay cached; "
                "free some, or set SHOWTELL_CACHE=DIR to a larger disk"
            ) from error
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); set SHOWTELL_CACHE=DIR to a folder that can"
        ) from error


def _size(count: int) -> str:
    """Bytes for people.

    >>> _size(1_234_567), _size(20_000_000_000)
    ('1.2 MB', '20.0 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
