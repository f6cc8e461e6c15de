"""A generator that runs in a thread of its own, at most some steps ahead of who reads it."""

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Iterable[T], most: int) -> Generator[T, None, None]:
    """The same items, made in a thread; up to `most` wait in a queue. Its error is raised here, in its place.

    If the reader stops early, the thread ends after its current item.
    """
    queue: Queue[tuple[Any, BaseException | None]] = Queue(most)
    stopped = threading.Event()

    def put(item: Any, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                queue.put((item, error), timeout=0.1)
                return
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(END)
        except BaseException as error:
            put(END, error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():  # let go of what it holds
            try:
                queue.get(timeout=0.1)
            except Empty:
                continue
