"""Steps of an album -> a live line on a terminal, or in a log a line for each part: how far, how fast, until when."""

import time
from types import TracebackType

from rich.console import Console

from showtell.plumbing.console import Plain
from showtell.plumbing.messages import say
from showtell.plumbing.progress import Bar
from showtell.predict.album.work import Step

BETWEEN = 10.0  # seconds between two lines of a log


class Live:
    """`with Live(console, total) as live: live.add(step)`."""

    def __init__(self, console: Console | None, total: int) -> None:
        self.console, self.total = console, total
        self.on_terminal = console is not None and (console.is_terminal or console.is_jupyter)
        self.bar = Bar(console or Plain(stderr=True), "captioning", total, "photo", show=self.on_terminal)
        self.done = self.failed = self.before = 0
        self.started = self.last = time.perf_counter()

    def __enter__(self) -> "Live":
        self.bar.__enter__()
        return self

    def add(self, step: Step) -> None:
        self.done += step.photos
        self.failed += step.failed
        self.before += step.before
        rate = self.done / max(1e-9, time.perf_counter() - self.started)
        self.bar.advance(step.photos + step.before, **{"photos/s": f"{rate:.1f}", "failed": f"{self.failed:,}"})
        left = max(0, self.total - self.done - self.before)
        if step.whole and left and not self.on_terminal and time.perf_counter() - self.last > BETWEEN:
            self.last = time.perf_counter()
            far = f"{self.total - left:,} of {self.total:,} photos, {rate:.1f} photos/s"
            say(self.console, f"{far}, {duration(left / max(rate, 1e-9))} left, {self.failed:,} failed")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.__exit__(kind, error, trace)


def duration(seconds: float) -> str:
    """
    >>> duration(40), duration(900), duration(100_000)
    ('40 s', '15 min', '27 h 46 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"
