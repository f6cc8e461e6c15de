"""Scores -> lines for a terminal: a table for each group, the metrics that were skipped, and the signatures."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from showtell.metrics import METRICS
from showtell.metrics.score import Score, Scores

TITLES = {"standard": "metric", "more": "metric", "hidden": "what scores hide"}
LESS = " (less is better)"


def lines(scores: Scores) -> Iterator[RenderableType]:
    """The lines that `score` and `evaluate` print. 95 % of the resamples have a value in the interval."""
    for title in dict.fromkeys(TITLES.values()):
        shown = [score for name, score in scores.items() if TITLES[METRICS[name].group] == title]
        if shown:
            yield _table(title, shown)
    for reason in dict.fromkeys(scores.left_out.values()):
        names = ", ".join(name for name, why in scores.left_out.items() if why == reason)
        yield Text(f"skipped: {names} {reason}")
    for signature in dict.fromkeys(score.signature.partition("|")[2] for score in scores.values()):
        yield Text(signature, style="dim")


def _table(title: str, scores: list[Score]) -> Table:
    table = Table(title, "value", "95 % interval")
    for score in scores:
        less = LESS if METRICS[score.name].lower else ""
        low_high = f"{score.interval[0]:.4f} to {score.interval[1]:.4f}" if score.interval else ""
        table.add_row(score.name + less, f"{score.value:.4f}", low_high)
    return table
