"""A progress bar with rate and ETA on standard error. It appears after two seconds: quick work prints nothing.

A notebook draws it with ipywidgets. Without that package there is one line, so that no warning stands in a hand-in.
"""

import time
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET_SECONDS = 2.0
BESIDE_BAR = 74  # columns of text beside the bar during training


class Bar:
    """`with Bar(console, "encoding", 1680, "photo") as bar: bar.advance(64)`."""

    def __init__(self, console: Console, title: str, total: int, unit: str, show: bool = True) -> None:
        self.console, self.title, self.total, self.unit, self.show = console, title, total, unit, show
        self.done, self.started = 0, time.perf_counter()
        self.progress: Progress | None = None

    def __enter__(self) -> "Bar":
        return self

    def advance(self, count: int = 1, **beside: str) -> None:
        """Report that `count` more are done. `name=value` pairs appear beside the bar; by default the rate does."""
        self.done += count
        seconds = time.perf_counter() - self.started
        if self.progress is None and self.show and seconds > QUIET_SECONDS:
            self._start()
        if self.progress is not None:
            words = beside or {f"{self.unit}s/s": f"{self.done / seconds:.1f}"}
            text = "  ".join(f"{name} {value}" for name, value in words.items())
            self.progress.update(self.task, completed=self.done, beside=text)

    def _start(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        if self.console.is_jupyter and find_spec("ipywidgets") is None:
            self.console.print(f"{self.title}: {self.total:,} {self.unit}s", markup=False, highlight=False)
            self.show = False
            return
        self.progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=len(self.title))),
            BarColumn(bar_width=max(6, min(40, self.console.width - BESIDE_BAR))),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=2 * len(str(self.total)) + 1)),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[beside]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self.console,
            refresh_per_second=4,
        )
        self.task = self.progress.add_task(self.title, total=self.total, beside="")
        self.progress.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()
