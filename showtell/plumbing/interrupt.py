"""Ctrl-C and SIGTERM -> a note that the work in hand reads when it comes to a good place to stop."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stop_signal() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C or SIGTERM; the second one interrupts at once."""
    received: list[int] = []
    names = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {name: signal.signal(name, note) for name in names}
    except ValueError:  # not the main thread: signals are somebody else's
        before = {}
    try:
        yield received
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
