"""Two ways to do one thing, timed in turn, A B A B: a machine that slows down slows both, and the ratio holds."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

Work = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Ratio(NamedTuple):
    """How many times `peer` takes longer than ours: median, least and most over the repeats."""

    name: str
    median: float
    least: float
    most: float
    target: float | None
    seconds: float  # of ours, the median
    note: str = ""
    at_most: bool = False  # whether the target is an upper bound


class Clock:
    """What time is read from. Processor time does not count while other programs of a busy machine compute."""

    name = "wall"

    def read(self) -> float:
        return CLOCKS[self.name]()


clock = Clock()


def seconds(work: Work) -> float:
    started = clock.read()
    work()
    return clock.read() - started


def compare(
    name: str,
    ours: Work,
    peer: Work,
    repeats: int,
    target: float | None = None,
    note: str = "",
    at_most: bool = False,
) -> Ratio:
    """Both once unmeasured, then in turn."""
    return compare_all({name: ours}, peer, repeats)[name]._replace(target=target, note=note, at_most=at_most)


def compare_all(ours: dict[str, Work], peer: Work, repeats: int) -> dict[str, Ratio]:
    """Several ways of ours against one peer, in turn: A B C PEER A B C PEER."""
    for work in (*ours.values(), peer):
        work()
    rounds = [([seconds(work) for work in ours.values()], seconds(peer)) for _ in range(repeats)]
    compared = {}
    for i, name in enumerate(ours):
        ratios = [theirs / own[i] for own, theirs in rounds]
        middle = statistics.median(own[i] for own, _ in rounds)
        compared[name] = Ratio(name, statistics.median(ratios), min(ratios), max(ratios), None, middle)
        print(f"{name}: {compared[name].median:.2f}", file=sys.stderr, flush=True)  # a benchmark may take minutes
    return compared
