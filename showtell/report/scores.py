"""Scores -> lines for a terminal: a table for each group, the metrics that were skipped, and the signatures."""

from collections.abc import Iterator
from textwrap import wrap

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from showtell.metrics import METRICS
from showtell.metrics.metric import shown
from showtell.metrics.score import Score, Scores

TITLES = {"standard": "metric", "more": "metric", "hidden": "what scores hide"}
WIDTH = 80
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
    for line in _signatures(scores):
        yield Text(line, style="dim")


def _signatures(scores: Scores) -> Iterator[str]:
    """What all signatures say, then what only some of them say, in lines of at most 80 letters.

    scores.json has the whole signature of each metric.
    """
    entries = {name: score.signature.split("|")[1:] for name, score in scores.items()}
    if not entries:
        return
    first = next(iter(entries.values()))
    common = [entry for entry in first if all(entry in of_metric for of_metric in entries.values())]
    yield from wrap("|".join(common), WIDTH)
    others: dict[str, list[str]] = {}
    for name, of_metric in entries.items():
        if own := "|".join(entry for entry in of_metric if entry not in common):
            others.setdefault(own, []).append(name)
    for own, names in others.items():
        yield from wrap(f"{', '.join(names)}: {own}", WIDTH, subsequent_indent="  ")


def _table(title: str, scores: list[Score]) -> Table:
    table = Table(title, "value", "95 % interval")
    for score in scores:
        less = LESS if METRICS[score.name].lower else ""
        digits = METRICS[score.name].digits
        low_high = " to ".join(shown(end, digits) for end in score.interval or ())
        table.add_row(score.name + less, shown(score.value, digits), low_high)
    return table
