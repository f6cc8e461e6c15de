"""What every route does with photos: admit, open, wait for the model; give up when the client leaves or time ends."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

from PIL import Image

from showtell.plumbing.errors import ShowtellError
from showtell.plumbing.messages import nearest
from showtell.serve.batcher import Batcher, Places
from showtell.serve.limits import Limits, Refused
from showtell.serve.metrics import Metrics
from showtell.serve.model import Model
from showtell.serve.uploads import admit, open_upload, shown

log = logging.getLogger("showtell.serve")
File = tuple[str, BinaryIO]  # a client's name for it, and its bytes


class Room:
    """Decoded photos have room for so many pixels; whoever comes later waits."""

    def __init__(self, pixels: int) -> None:
        self.left = pixels
        self.waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, pixels: int) -> None:
        """Wait in turn, so that small photos do not starve a large one."""
        if not self.waiting and self.left >= pixels:
            self.left -= pixels
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((pixels, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(pixels)
            raise

    def give(self, pixels: int) -> None:
        self.left += pixels
        while self.waiting and (self.waiting[0][1].done() or self.left >= self.waiting[0][0]):
            taken, turn = self.waiting.popleft()
            if not turn.done():
                self.left -= taken
                turn.set_result(None)


class Desk:
    """Models by name, each with its queue. One thread runs all models; two threads open photos."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.metrics = limits, Metrics()
        self.models: dict[str, Model] = {}
        self.batchers: dict[str, Batcher] = {}
        self.ready, self.reading = False, 0
        self.torch = ThreadPoolExecutor(1, "model")
        self.openers = ThreadPoolExecutor(2, "photos")

    async def open(self, models: Sequence[Model]) -> None:
        self.room, self.opening = Room(self.limits.decoded), asyncio.Semaphore(2)
        for model in models:
            self.models[model.name] = model
            batcher = Batcher(model.work, self.torch, self.limits, self.metrics)
            model.is_in_vain = batcher.is_in_vain
            self.batchers[model.name] = batcher
            batcher.start()
        self.ready = True

    async def close(self) -> None:
        """Finish what was begun."""
        self.ready = False
        for batcher in self.batchers.values():
            await batcher.drain()
        self.openers.shutdown()
        self.torch.shutdown()

    def model(self, name: str | None) -> Model:
        if not self.ready:
            raise Refused(503, "the model is not loaded yet; try again in 2 s", retry_after=2)
        if not name:
            return next(iter(self.models.values()))
        if name not in self.models:
            near = nearest(name, self.models)
            hint = f" (did you mean {near}?)" if near else ""
            raise Refused(422, f"model is {name[:60]!r}; this server has {', '.join(self.models)}{hint}")
        return self.models[name]

    @asynccontextmanager
    async def texts(self, length: str | None) -> AsyncIterator[None]:
        """Inside `async with`, a JSON body of this length may be in memory. Raises Refused with status 503."""
        size = min(int(length), self.limits.body) if length is not None and length.isdigit() else self.limits.body
        if self.reading + size > self.limits.texts:
            raise Refused(503, "too many bodies are read already; try again in 2 s", retry_after=2)
        self.reading += size
        try:
            yield
        finally:
            self.reading -= size

    async def captions(
        self, model: Model, files: Sequence[File], changes: Mapping[str, Any], maps: bool, left: Any
    ) -> dict[str, Any]:
        """The answer for some files; `left()` returns when the client has left. Raises Refused."""
        began = time.monotonic()
        if not files:
            raise Refused(422, "no photo is given; send one to eight in the field file")
        if len(files) > self.limits.photos:
            raise Refused(413, f"{len(files)} photos; at most {self.limits.photos} are taken at once")
        key = model.settings(changes, maps, len(files))
        pixels = [admit(file, name, self.limits) for name, file in files]
        work = asyncio.ensure_future(self._all(model, files, pixels, key))
        gone = asyncio.ensure_future(left())
        try:
            await asyncio.wait({work, gone}, timeout=self.limits.answer_time, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                if gone.done():
                    raise Refused(499, "the client left")
                raise Refused(504, f"no captions within {self.limits.answer_time:g} s; try again with fewer photos")
            captions = work.result()
        except ShowtellError as error:  # a photo that this model refuses
            raise Refused(422, str(error)) from None
        except Refused:
            raise
        except Exception:
            log.exception("the model %s failed", model.name)
            raise Refused(500, "the model failed; the server's terminal says why") from None
        finally:
            work.cancel()
            gone.cancel()
        spent = round(1000 * (time.monotonic() - began))
        return {"captions": captions, "model": model.name, "signature": model.signature(key), "ms": spent}

    async def _all(self, model: Model, files: Sequence[File], pixels: Sequence[int], key: str) -> list[dict[str, Any]]:
        batcher = self.batchers[model.name]
        places = batcher.reserve(len(files))
        tasks = [
            asyncio.ensure_future(self._one(model, file, size, key, places))
            for file, size in zip(files, pixels, strict=True)
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            places.give_back(places.left)

    async def _one(self, model: Model, file: File, pixels: int, key: str, places: Places) -> dict[str, Any]:
        await self.room.take(pixels)
        try:
            photo = await self._opened(file, model.at_least)
            decoded = min(pixels, photo.width * photo.height)  # a large JPEG is decoded at a part of its size
            self.room.give(pixels - decoded)
            pixels = decoded
            result: dict[str, Any] = await places.batcher.submit(photo, key, places)
            return result
        finally:
            self.room.give(pixels)

    async def _opened(self, file: File, at_least: int | None) -> Image.Image:
        name, content = file
        loop = asyncio.get_running_loop()
        async with self.opening:
            opened = loop.run_in_executor(self.openers, open_upload, content, name, at_least)
            try:
                return await asyncio.wait_for(opened, self.limits.opening_time)
            except asyncio.TimeoutError:
                line = f"{shown(name)}: did not open within {self.limits.opening_time:g} s"
                raise Refused(422, line) from None
