"""Photos that arrive together are captioned together, if they want the same decoding.

The first photo of a batch waits at most `wait` seconds for others; while the model works, the next batch gathers by
itself. Photos leave in the order in which they came; a batch holds the first one and those after it with equal
settings. Example with batches of 3 and settings a and b: of a a b a a, the batches are aaa, b, a.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from showtell.serve.limits import Limits, Refused
from showtell.serve.metrics import Metrics

SAFE = 0.7  # the part of the answer's time that a queue may take, as the model's pace varies
Work = Callable[[Hashable, Sequence[Any]], Sequence[Any]]


@dataclass(eq=False)
class Job:
    """A photo that waits. Whoever cancels `result` has left: the photo is skipped."""

    photo: Any
    settings: Hashable
    came: float
    result: "asyncio.Future[Any]" = field(repr=False)


@dataclass
class Places:
    """Places in a queue that one request keeps while its photos are opened."""

    batcher: "Batcher"
    left: int

    def give_back(self, photos: int) -> None:
        self.left -= photos
        self.batcher.reserved -= photos


class Batcher:
    """`work(settings, photos)` runs in `executor`, one batch at a time, and returns a result for each photo."""

    def __init__(self, work: Work, executor: Executor, limits: Limits, metrics: Metrics) -> None:
        self.work, self.executor, self.limits, self.metrics = work, executor, limits, metrics
        self.jobs: deque[Job] = deque()
        self.working: Sequence[Job] = ()
        self.reserved = 0  # places of photos that are still being opened
        self.per_second = 5.0  # a guess until the first batch is done
        self._came, self._closing = asyncio.Event(), False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Finish what waits, then stop."""
        self._closing = True
        self._came.set()
        if self._task is not None:
            await self._task

    def is_in_vain(self) -> bool:
        """Whether nobody waits for the photos that the model works on. The model's thread asks this too."""
        return bool(self.working) and all(job.result.done() for job in self.working)

    @property
    def length(self) -> int:
        return len(self.jobs) + self.reserved

    def reserve(self, photos: int) -> "Places":
        """Keep places in the queue. Raises Refused with status 503, and when to come again, if it has too few.

        A queue that the model cannot work off in `answer_time` is too long too: its last photos would wait in vain.
        """
        if self._closing:
            raise Refused(503, "the server is shutting down", retry_after=5)
        self._skip_those_who_left()  # while a batch runs, nobody else clears their places
        seconds = (self.length + photos) / self.per_second
        full = self.length + photos > self.limits.queue
        if full or (self.length > 0 and seconds > SAFE * self.limits.answer_time):
            later = max(1, math.ceil(self.length / self.per_second))
            raise Refused(503, f"{self.length} photos wait already; try again in {later} s", retry_after=later)
        self.reserved += photos
        return Places(self, photos)

    def submit(self, photo: Any, settings: Hashable, places: "Places") -> "asyncio.Future[Any]":
        """The future result of a photo, in one of the reserved places."""
        places.give_back(1)
        job = Job(photo, settings, time.monotonic(), asyncio.get_running_loop().create_future())
        self.jobs.append(job)
        self._came.set()
        return job.result

    async def _run(self) -> None:
        while True:
            self._came.clear()
            self._skip_those_who_left()
            if not self.jobs:
                if self._closing:
                    return
                await self._came.wait()
                continue
            await self._gather()
            if batch := self._take():
                await self._caption(batch)

    async def _gather(self) -> None:
        """Wait until the batch is full or the time of its first photo is over."""
        end = self.jobs[0].came + self.limits.wait
        while len(self.jobs) < self.limits.batch and (left := end - time.monotonic()) > 0 and not self._closing:
            self._came.clear()
            try:
                await asyncio.wait_for(self._came.wait(), left)
            except asyncio.TimeoutError:
                return

    def _take(self) -> list[Job]:
        self._skip_those_who_left()
        batch: list[Job] = []
        others: deque[Job] = deque()
        for job in self.jobs:
            fits = not batch or (job.settings == batch[0].settings and len(batch) < self.limits.batch)
            (batch if fits else others).append(job)
        self.jobs = others
        return batch

    def _skip_those_who_left(self) -> None:
        waiting = deque(job for job in self.jobs if not job.result.done())
        self.metrics.add("skipped", len(self.jobs) - len(waiting))
        self.jobs = waiting

    async def _caption(self, batch: Sequence[Job]) -> None:
        began = time.monotonic()
        results = await self._results(batch)
        seconds = time.monotonic() - began
        self.per_second = 0.7 * self.per_second + 0.3 * len(batch) / max(seconds, 1e-6)
        self.metrics.add("batches")
        self.metrics.add("photos", len(batch))
        self.metrics.add("model_seconds", seconds)
        for job, result in zip(batch, results, strict=True):
            job.photo = None
            if job.result.done():  # the client left meanwhile
                continue
            if isinstance(result, Exception):
                job.result.set_exception(result)
            else:
                job.result.set_result(result)

    async def _results(self, batch: Sequence[Job]) -> Sequence[Any]:
        """If a batch fails, each of its photos is tried alone, so that a bad photo costs only itself."""
        loop = asyncio.get_running_loop()
        photos = [job.photo for job in batch]
        self.working = batch
        try:
            return await loop.run_in_executor(self.executor, self.work, batch[0].settings, photos)
        except Exception as error:
            if len(batch) == 1 or self.is_in_vain():
                return [error] * len(batch)
        finally:
            self.working = ()
        return [result for job in batch for result in await self._results([job])]
