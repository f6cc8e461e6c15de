"""Runs that differ in one thing -> a table of their differences, with intervals and p.

An entry's value is the mean over its seeds. A resample draws photos, each with its captions of all seeds. So intervals
and p say how much other photos would change the result. The tables of the data sets show the spread over seeds. An
entry without seeds, such as `nearest` or an ensemble, is compared with every seed of the other.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.results.measured import Measured
from benchmarks.results.page import head, number, row, shown_runs, typed
from benchmarks.results.plan import Effect, Plan
from benchmarks.results.runs import Run
from showtell.metrics import METRICS
from showtell.metrics.metric import Metric, Rows
from showtell.metrics.significance import Paired, holm, intervals, paired
from showtell.plumbing.errors import InputError


class Side(NamedTuple):
    """An entry's rows by metric, those of its seeds side by side."""

    entry: str
    rows: list[Rows]


def effect_section(plan: Plan, effect: Effect, name: str, wanted: Sequence[Run], ready: Mapping[Run, Measured]) -> str:
    """Protocol, table and commands of one effect on one data set, of what is made of it.

    The seeds are those that all its entries have. Without the first entry, or any other, there is nothing to compare.
    """
    of_entry = {entry: [run for run in ready if run.entry == entry] for entry in effect.of}
    left = [run.name for run in wanted if run.entry in effect.of and run not in ready]
    said = [f"Not made yet: {', '.join(left)}."] if left else []
    of_entry = {entry: runs for entry, runs in of_entry.items() if runs}
    seeds = _common(list(of_entry.values()))
    if not seeds or len(of_entry) < 2 or effect.of[0] not in of_entry:
        return "\n".join(said)
    effect = effect.model_copy(update={"of": list(of_entry)})
    chosen = {entry: [ready[_of_seed(runs, seed)] for seed in seeds] for entry, runs in of_entry.items()}
    lacking = [each for each in effect.metrics if not all(each in m.rows for own in chosen.values() for m in own)]
    names = [each for each in effect.metrics if each not in lacking]
    every = [measured for own in chosen.values() for measured in own]
    if len({measured.photos for measured in every}) > 1:
        raise InputError(f"{effect.title}: the runs of {name} were scored on different photos or captions")
    captioned = np.all([~np.isnan(rows).any(axis=1) for each in every for rows in each.rows.values()], axis=0)
    sides = [
        Side(entry, [np.hstack([each.rows[metric][captioned] for each in own]) for metric in names])
        for entry, own in chosen.items()
    ]
    head_line = f"{effect.title}: {plan.datasets[name].title}, {captioned.sum():,} photos ({plan.split})"
    head_line += f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}." if seeds != [None] else "."
    more = f" p is corrected for {len(effect.pairs)} comparisons (Holm)." * (len(effect.pairs) > 1)
    said = [f"{each} is skipped: not all runs have it." for each in lacking] + said
    lines = [head_line + more, "", *_table(effect, sides, names, len(seeds)), "", *_commands(plan, effect, name, seeds)]
    return "\n".join([*lines, *(["", *said] if said else [])])


def _common(runs: Sequence[Sequence[Run]]) -> list[int | None]:
    """The seeds that all entries with seeds have; `[None]` if no entry has seeds, nothing if an entry has no run."""
    if not all(runs):
        return []
    seeded = [[run.seed for run in own] for own in runs if own[0].seed is not None]
    return [seed for seed in seeded[0] if all(seed in own for own in seeded)] if seeded else [None]


def _of_seed(runs: Sequence[Run], seed: int | None) -> Run:
    return next(run for run in runs if run.seed in (seed, None))


def _over_seeds(metric: Metric, seeds: int) -> Metric:
    """The metric whose value is the mean over the seeds, their rows side by side."""

    def value(sums: Rows, images: int) -> Rows:
        return np.mean([metric.value(own, images) for own in np.split(sums, seeds, axis=-1)], axis=0)

    def contributions(rows: Rows) -> Rows:
        assert metric.contributions is not None
        return np.mean([metric.contributions(own) for own in np.split(rows, seeds, axis=-1)], axis=0)

    return metric._replace(value=value, contributions=contributions if metric.contributions else None)


def _table(effect: Effect, sides: Sequence[Side], names: Sequence[str], seeds: int) -> list[str]:
    """A row for each entry and below them one for each difference, a column for each metric."""
    metrics = [_over_seeds(METRICS[name], seeds) for name in names]
    lines = head(["", *names])
    for side in sides:
        values = [
            float(metric.value(own.sum(axis=0), len(own))) for metric, own in zip(metrics, side.rows, strict=True)
        ]
        spans = intervals(metrics, side.rows)
        lines.append(row([f"`{side.entry}`", *map(_with_interval, map(number, values), spans)]))
    by_entry = {side.entry: side.rows for side in sides}
    found = [paired(metrics, by_entry[first], by_entry[other]) for first, other in effect.pairs]
    corrected = [_holm(of_metric) for of_metric in zip(*found, strict=True)]
    for place, (first, other) in enumerate(effect.pairs):
        cells = [_difference(pair, p[place]) for pair, p in zip(found[place], corrected, strict=True)]
        lines.append(row([f"`{other}` - `{first}`", *cells]))
    return lines


def _holm(pairs: Sequence[Paired | None]) -> list[float]:
    return holm([1.0 if pair is None else pair.p_randomization for pair in pairs])


def _difference(pair: Paired | None, p: float) -> str:
    if pair is None:  # a figure of the whole set
        return ""
    return f"{_with_interval(_signed(pair.difference), pair.interval)}, p {number(p)}"


def _with_interval(value: str, interval: tuple[float, float] | None) -> str:
    return value + (f" [{number(interval[0])}, {number(interval[1])}]" if interval else "")


def _signed(value: float) -> str:
    return "+" * (round(value, 3) > 0) + number(value)


def _commands(plan: Plan, effect: Effect, name: str, seeds: Sequence[int | None]) -> list[str]:
    """What compares the same captions, seed by seed."""
    runs = {
        entry: _of_seed([run for run in shown_runs(plan, name) if run.entry == entry], seeds[0]) for entry in effect.of
    }
    groups = effect.pairs if effect.against == "previous" else [tuple(effect.of)]
    options = ["--split", plan.split, "--metrics", ",".join(effect.metrics)]
    commands = [["compare", *(str(runs[entry].folder) for entry in group), *options] for group in groups]
    return ["```bash", *typed(commands, list(runs.values()), seeds), "```"]
