"""Photos that a store lacks -> new rows: read, resize and, if the encoder is frozen, encode the photos.

For speed, each CPU core encodes its own batch of 4 photos. Then the cores do not wait for each other in every layer,
and the feature maps fit into the core's cache: this is twice as fast as batches of 64.
"""

import errno
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
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
UNREADABLE = "unreadable "  # plus the path: replaces the digest of a file that cannot be read


class Made(NamedTuple):
    """The rows of a few photos, and for each content without a row the reason."""

    contents: list[str]
    arrays: dict[str, Tensor]
    failed: dict[str, str]


def fill(
    store: Store, encoder: Encoder, wanted: Mapping[str, Path], console: Console, beside: bool = False
) -> dict[str, str]:
    """Make the missing rows. Returns the contents that could not be read, with the reasons.

    Only one process fills a store; others wait, and find their rows there. If `beside`, several processes encode at the
    same time, each its own photos, and hold the lock only while they write.

    Raises InputError if the disk is too small or cannot be written.
    """
    pixels, view = encoder.transform(Image.new("RGB", (8, 8)))
    layout = layout_of(_make(encoder, pixels[None], view[None]))
    waiting = f"waiting for another process that writes to {store.folder}"
    alone = partial(store.writing, layout, lambda: console.print(waiting, soft_wrap=True))
    briefly = partial(store.writing, layout, lambda: None)
    with room(store.folder), nullcontext() if beside else alone():
        store.folder.mkdir(parents=True, exist_ok=True)
        missing = {content: path for content, path in wanted.items() if content not in store.rows}
        size = len(missing) * row_bytes(layout)
        _check_room(store.folder, size, len(missing))
        if missing:
            doing = "read" if encoder.trains else "encode"
            what = f"{count(len(missing), 'photo')} to {doing}, once"
            console.print(f"{what}: {_size(size)} in {store.folder}", soft_wrap=True)
        with Bar(console, "reading" if encoder.trains else "encoding", len(missing), "photo") as bar:
            return _write(store, _made(encoder, missing), bar, briefly if beside else nullcontext)


def _write(
    store: Store, batches: Iterator[Made], bar: Bar, writing: Callable[[], AbstractContextManager[None]]
) -> dict[str, str]:
    """Write rows after every 64 rows or 2 seconds, so that a kill loses at most these."""
    failed: dict[str, str] = {}
    waiting: list[Made] = []
    written = time.perf_counter()

    def flush() -> None:
        contents = [content for batch in waiting for content in batch.contents]
        names = waiting[0].arrays
        arrays = {name: torch.cat([batch.arrays[name] for batch in waiting]) for name in names}
        with writing():
            # Another process may have encoded an equal photo meanwhile.
            lacking = [place for place, content in enumerate(contents) if content not in store.rows]
            if lacking:
                rows = {name: array[lacking] for name, array in arrays.items()}
                store.append([contents[place] for place in lacking], rows)
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
    """Yield the rows of all photos, batch by batch, in order. At most `workers` + 2 batches wait in memory."""
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
    with turn:  # only one batch at a time uses the accelerator's memory
        return Made(contents, _make(encoder, *stack(squares)), failed)


def _make(encoder: Encoder, pixels: Tensor, view: Tensor) -> dict[str, Tensor]:
    """The arrays to store for a batch: pixels if the encoder trains, otherwise features (fp16 unless `exact`)."""
    if encoder.trains:
        return {"pixels": pixels, "view": view}
    device = device_of(encoder)
    features = encoder(pixels.to(device), view.to(device)).to(torch.device("cpu"))
    if not encoder.exact:
        features = features._replace(tokens=features.tokens.half(), pooled=features.pooled.half())
    return features._asdict()


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """A pool of threads; in each of them, torch uses one core."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # a worker's setting also holds for threads that start later


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
            f"{photos:,} photos need {_size(need)} in {folder}, but only {_size(free)} are free; "
            "delete files, or set SHOWTELL_CACHE=DIR to a folder on a larger disk"
        )


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Turn errors of a full or read-only disk into one InputError. Photos that are cached already stay valid."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise InputError(
                f"{folder} is on a disk that is full after {len(Store(folder).rows):,} photos, which stay cached; "
                "delete files, or set SHOWTELL_CACHE=DIR to a folder on a larger disk"
            ) from error
        raise InputError(
            f"{folder} cannot be written ({error.strerror}); set SHOWTELL_CACHE=DIR to a writable folder"
        ) from error


def _size(count: int) -> str:
    """A number of bytes in MB or GB.

    >>> _size(1_234_567), _size(20_000_000_000)
    ('1.2 MB', '20.0 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
