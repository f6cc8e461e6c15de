"""Ctrl-C and SIGTERM -> a list that a running loop checks when it can stop safely, for example after a step."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stop_signal() -> Iterator[list[int]]:
    """A list that is empty until the first Ctrl-C or SIGTERM. The second one raises KeyboardInterrupt at once."""
    received: list[int] = []
    names = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {name: signal.signal(name, note) for name in names}
    except ValueError:  # only the main thread may handle signals
        before = {}
    try:
        yield received
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
