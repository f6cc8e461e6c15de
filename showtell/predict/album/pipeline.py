"""Photos -> captions, with reading, encoding and decoding at the same time.

    threads that read      open photos and prepare them, up to AHEAD batches before they are needed
    a thread that encodes  one batch before the decoder
    the caller's thread    decodes

What waits between them is bounded, so memory does not grow with the album. A batch never spans two parts, and it is
always the same photos, so a part has the same rows whoever makes it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import torch
from PIL import Image

from showtell.cache import encode_prepared, prepare
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.views import encoder_of_views
from showtell.features import select
from showtell.plumbing.errors import InputError, Unreadable
from showtell.predict.album.ahead import ahead
from showtell.predict.album.items import Fetch, Item, fetches, open_photo

BATCH_SIZE = 16
READERS = 4  # threads
AHEAD = 3  # batches

Result = Caption | str  # a caption, or why there is none


class Captioned(NamedTuple):
    part: int
    items: Sequence[Item]
    results: Sequence[Result]


class _Batch(NamedTuple):
    part: int
    items: Sequence[Item]
    errors: Sequence[InputError | None]  # why a photo cannot be read
    good: Any  # what the others have become: pictures, prepared pixels or features


class _Way(NamedTuple):
    """How a captioner gets from a photo to a caption."""

    prepare: Callable[[Image.Image], Any]  # in a thread that reads
    encode: Callable[[list[Any]], Any]  # in the thread that encodes
    describe: Callable[[Any], list[Caption]]
    one: Callable[[Any, int], Any]  # one photo of what `encode` returned


def captioned(captioner: Captioner, work: Iterable[tuple[int, Sequence[Item]]]) -> Generator[Captioned, None, None]:
    """The captions of (part, photos), batch by batch in order.

    A photo that cannot be read, or that the model refuses, has the reason instead. If the model refuses every photo of
    the first batch, its error is raised.
    """
    way = _by_features(captioner) if _reads_features(captioner) else _by_photos(captioner)
    size = min(BATCH_SIZE, captioner.at_once or BATCH_SIZE)
    works = False
    with (
        ThreadPoolExecutor(READERS) as pool,
        _halved_threads(captioner),
        torch.no_grad(),
        closing(ahead(_encoded(way, _read(pool, captioner, way, work, size)), 1)) as batches,
    ):
        for batch in batches:
            results = _results(way, batch, works)
            works = works or any(isinstance(result, Caption) for result in results)
            yield Captioned(batch.part, batch.items, results)


def _reads_features(captioner: Captioner) -> bool:
    return captioner.encoder is not None and type(captioner).describe is not Captioner.describe


def _by_features(captioner: Captioner) -> _Way:
    assert captioner.encoder is not None
    encoder = encoder_of_views(captioner.encoder, captioner.views)
    return _Way(
        prepare=lambda image: prepare(encoder, image),
        encode=lambda prepared: encode_prepared(encoder, prepared),
        describe=captioner.describe,
        one=lambda seen, place: select(seen, torch.tensor([place])),
    )


def _by_photos(captioner: Captioner) -> _Way:
    return _Way(
        prepare=lambda image: image,
        encode=lambda images: images,
        describe=captioner.caption,
        one=lambda images, place: [images[place]],
    )


def _read(
    pool: ThreadPoolExecutor, captioner: Captioner, way: _Way, work: Iterable[tuple[int, Sequence[Item]]], size: int
) -> Iterator[tuple[int, Sequence[Item], list[Any]]]:
    """(part, photos, what they were prepared to, or why not); AHEAD batches are being read at any time."""

    def prepared(item: Item, fetch: Fetch) -> Any:
        try:
            return way.prepare(open_photo(captioner, item.image_id, fetch()))
        except InputError as error:  # Unreadable, or refused by the encoder, such as one of 1 x 300 pixels
            return error

    waiting: deque[tuple[int, Sequence[Item], list[Future[Any]]]] = deque()
    for part, items in work:
        following = fetches(items)
        for start in range(0, len(items), size):
            some = items[start : start + size]
            waiting.append((part, some, [pool.submit(prepared, item, next(following)) for item in some]))
            if len(waiting) > AHEAD:
                yield _gathered(waiting.popleft())
    while waiting:
        yield _gathered(waiting.popleft())


def _gathered(batch: tuple[int, Sequence[Item], list[Future[Any]]]) -> tuple[int, Sequence[Item], list[Any]]:
    part, items, futures = batch
    return part, items, [future.result() for future in futures]


def _encoded(way: _Way, batches: Iterable[tuple[int, Sequence[Item], list[Any]]]) -> Iterator[_Batch]:
    for part, items, photos in batches:
        good = [photo for photo in photos if not isinstance(photo, InputError)]
        errors = [photo if isinstance(photo, InputError) else None for photo in photos]
        yield _Batch(part, items, errors, way.encode(good) if good else None)


def _results(way: _Way, batch: _Batch, works: bool) -> list[Result]:
    refused = [error for error in batch.errors if error is not None and not isinstance(error, Unreadable)]
    if not works and len(refused) == len(batch.errors):
        raise refused[0]
    number = batch.errors.count(None)
    described = iter(_described(way, batch.good, number, works) if number else [])
    return [next(described) if error is None else _reason(error) for error in batch.errors]


def _reason(error: InputError) -> str:
    return error.reason if isinstance(error, Unreadable) else str(error)


def _described(way: _Way, good: Any, number: int, works: bool) -> list[Result]:
    """The captions of a batch. A photo that the model refuses costs only itself."""
    try:
        return list(way.describe(good))
    except InputError as error:
        if number == 1 and not works:
            raise
        refused = error
    results: list[Result] = []
    for place in range(number):
        try:
            results += way.describe(way.one(good, place))
        except InputError as error:
            results.append(str(error))
    if not works and not any(isinstance(result, Caption) for result in results):
        raise refused
    return results


@contextmanager
def _halved_threads(captioner: Captioner) -> Iterator[None]:
    """On a CPU, encoding and decoding share the cores: too many threads would wait for each other."""
    before = torch.get_num_threads()
    if captioner.device.type == "cpu":
        torch.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)
