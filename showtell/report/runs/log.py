"""The log of a training -> its curves: the best epoch of each metric, and whether the scores follow the loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from showtell.metrics import METRICS
from showtell.training.log import read_log

LOSS, VAL_LOSS = "loss", "val_loss"
AXES = ("epoch", "step", "seconds")
POINTS = 240  # of a curve; a long training loss is averaged to this many
NOT_MEASURED = {"step", "epoch", LOSS, "lr", "captions_per_second", "seconds", "event", "reward"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Log:
    """The rows of `metrics.jsonl`. Epochs count as fractions: step 150 of 100 an epoch is epoch 1.5."""

    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def metrics(self) -> list[str]:
        """What validation measured, the loss first."""
        return list(dict.fromkeys(name for row in self.rows for name in row if name not in NOT_MEASURED))

    def curve(self, metric: str, x: str = "epoch") -> list[Point]:
        """(x, value) of each row that has both, in order; empty if an old log has no seconds."""
        rows = [row for row in self.rows if _is_number(row.get(metric))]
        if x == "epoch":
            per_epoch = self.steps_per_epoch
            points = [(row["step"] / per_epoch, float(row[metric])) for row in rows if per_epoch]
        else:
            points = [(float(row[x]), float(row[metric])) for row in rows if _is_number(row.get(x))]
        return thinned(points)

    @property
    def steps_per_epoch(self) -> float:
        """The fewest steps that an epoch took; 0 if the first epoch did not end."""
        ends = [row["step"] / row["epoch"] for row in self.rows if row.get("epoch")]
        return min(ends, default=float(max((row["step"] for row in self.rows), default=0)))

    def best(self, metric: str) -> Point | None:
        """(epoch, value) of the best validation; the first if several are equal."""
        points = self.curve(metric)
        if not points:
            return None
        value = (min if lower_is_better(metric) else max)(value for _, value in points)
        return next(point for point in points if point[1] == value)

    @property
    def speed(self) -> float | None:
        """The median of the captions per second in training."""
        every = sorted(row["captions_per_second"] for row in self.rows if _is_number(row.get("captions_per_second")))
        return float(every[len(every) // 2]) if every else None


def log_of(folder: Path) -> Log:
    try:
        rows = read_log(folder)
    except (OSError, UnicodeDecodeError):
        rows = []
    return Log([row for row in rows if isinstance(row, dict) and _is_number(row.get("step"))])


def lower_is_better(metric: str) -> bool:
    return metric in (LOSS, VAL_LOSS) or (metric in METRICS and METRICS[metric].lower)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """At most `most` points: each is the mean of its neighbours.

    >>> thinned([(1, 4.0), (2, 2.0), (3, 1.0), (4, 1.0)], most=2)
    [(1.5, 3.0), (3.5, 1.0)]
    """
    if len(points) <= most:
        return list(points)
    groups = [points[at * len(points) // most : (at + 1) * len(points) // most] for at in range(most)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's: 1 if both rise together, -1 if one falls when the other rises; None for fewer than three pairs.

    >>> rank_correlation([3, 2, 1], [0.1, 0.2, 0.4])
    -1.0
    """
    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    a, b = _ranks(first), _ranks(second)
    middle = (len(a) - 1) / 2
    both = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    of_a, of_b = (sum((x - middle) ** 2 for x in ranks) for ranks in (a, b))
    return round(both / (of_a * of_b) ** 0.5, 9)


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each value; equal values share the mean of their places."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) - 1) / 2 for value in values]


def follows(log: Log, metric: str) -> str:
    """One sentence: whether the metric follows the validation loss over the epochs of one training."""
    losses, scores = dict(log.curve(VAL_LOSS, "step")), dict(log.curve(metric, "step"))
    steps = [step for step in losses if step in scores]
    if len(steps) < 3:
        return f"too few validations to say ({len(steps)})"
    found = rank_correlation([losses[step] for step in steps], [scores[step] for step in steps])
    if found is None:
        return "one of them never changed"
    if lower_is_better(metric):
        found = -found
    how = "follows the loss" if found <= -0.7 else "follows the loss only in part" if found <= -0.3 else ""
    how = how or "does not follow the loss"
    return f"{metric} {how} (rank correlation {found:+.2f} over {len(steps)} validations; -1 is perfect)"
