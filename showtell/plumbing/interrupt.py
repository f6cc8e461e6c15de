"""Ctrl-C and SIGTERM -> a list that a running loop checks when it can stop safely, for example after a step."""

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

ECHO = 3.0  # seconds


@contextlib.contextmanager
def stop_signal(echoes: bool = False) -> Iterator[list[int]]:
    """A list that is empty until the first Ctrl-C or SIGTERM. The second one raises KeyboardInterrupt at once.

    If `echoes`, all signals of the first three seconds count as one: torchrun passes on a Ctrl-C that the terminal also
    sent.
    """
    received: list[int] = []
    first = 0.0
    names = (signal.SIGINT, signal.SIGTERM)

    def note(number: int, frame: Any) -> None:
        nonlocal first
        if received and not (echoes and time.monotonic() - first < ECHO):
            raise KeyboardInterrupt
        if not received:
            received.append(number)
            first = time.monotonic()

    try:
        before = {name: signal.signal(name, note) for name in names}
    except ValueError:  # only the main thread may handle signals
        before = {}
    try:
        yield received
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
