"""Finished runs of a data set -> commands, protocol and table; every figure is one that a run measured."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.results.measured import Measured
from benchmarks.results.page import SHOWN_ROOT, SHOWN_RUNS, head, number, quoted, row, shown_runs, typed
from benchmarks.results.plan import DataSet, Plan
from benchmarks.results.runs import Run, runs_of
from showtell.data import Record
from showtell.metrics import METRICS
from showtell.metrics.humans import humans

FOLDED = "<details><summary>The commands of this table</summary>"


def section(
    plan: Plan, name: str, wanted: Sequence[Run], ready: Mapping[Run, Measured], records: Sequence[Record]
) -> str:
    """Commands, protocol and table of one data set, whose records have captions."""
    protocol = _protocol(plan, plan.datasets[name], wanted, ready, records)
    lines = [_commands(plan, name), "", protocol, "", *_table(plan, records, wanted, ready)]
    left = [run.name for run in wanted if run not in ready]
    return "\n".join([*lines, *(["", f"Not made yet: {', '.join(left)}."] if left else [])])


def _commands(plan: Plan, name: str) -> str:
    runs, given = shown_runs(plan, name), plan.root_of(name)
    root = f"{SHOWN_ROOT}/{given}"
    files = dict.fromkeys(file for run in runs_of(plan, name, root, Path(SHOWN_RUNS)) for file in run.lacks)
    only = f' RESULTS="--only {name}"' if given != name else ""
    words = [f"{given.upper()}={root}", *(f"{file.upper()}={plan.files[file]}" for file in files)]
    lines = [FOLDED, "", "```bash", f"make results {' '.join(words)}{only}  # does all of this, in this order:"]
    for entry in plan.entries(name):
        own = [run for run in runs if run.entry == entry]
        commands = [words for words in (own[0].make, own[0].evaluate) if words]
        lines += typed(commands, own[:1], [run.seed for run in own])
    return "\n".join([*lines, "```", "", "</details>"])


def _protocol(
    plan: Plan, dataset: DataSet, wanted: Sequence[Run], ready: Mapping[Run, Measured], records: Sequence[Record]
) -> str:
    """What a reader needs to compare the figures. Decoding and epochs come from the recipes that the runs saved."""
    photos = {split: sum(record.split == split for record in records) for split in ("train", "val", "test")}
    said = [
        f"Photos with captions: {', '.join(f'{count:,} {split}' for split, count in photos.items() if count)}.",
        f"Scores: split {plan.split}, coco-caption's protocol.",
    ]
    said += [f"Decoding{of}: {text}." for of, text in _by_entry(ready, attrgetter("decoding"))]
    for of, text in _by_entry(ready, attrgetter("choice")):
        said.append(f"The epoch{of} was chosen with {text} on the validation photos, captioned by greedy decoding.")
    if plan.split == "val":
        said.append("**Validation also chose the epoch, so these scores are optimistic.**")
    said.append(_seeds(dataset, wanted))
    if any(len(record.references) > 1 for record in records):
        said.append(
            "The last row is people: each caption is scored against the photo's other captions, "
            "so it has one reference fewer than a model's caption."
        )
    return "\n".join(f"- {line}" for line in said)


def _by_entry(ready: Mapping[Run, Measured], what: Callable[[Measured], str | None]) -> list[tuple[str, str]]:
    """What is said of the recipes, and of which where they differ: `(" of `a`, `b`", text)`."""
    found: dict[str, list[str]] = {}
    for run in {run.entry: run for run in ready}.values():
        if text := what(ready[run]):
            found.setdefault(text, []).append(run.entry)
    return [(f" of {quoted(entries)}" if len(found) > 1 else "", text) for text, entries in found.items()]


def _seeds(dataset: DataSet, wanted: Sequence[Run]) -> str:
    seeds: dict[str, list[int]] = {}
    for run in wanted:
        if run.seed is not None:
            seeds.setdefault(run.entry, []).append(run.seed)
    others = [f"`{entry}`: {_counted(own).lower()}" for entry, own in seeds.items() if own != dataset.seeds]
    exceptions = f" ({'; '.join(others)})" if others else ""
    several = max(map(len, seeds.values()), default=1) > 1
    spread = ", mean ± standard deviation over the seeds" if several else ""
    return f"{_counted(dataset.seeds)}{exceptions}{spread}."


def _counted(seeds: Sequence[int]) -> str:
    return f"Seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _table(plan: Plan, records: Sequence[Record], wanted: Sequence[Run], ready: Mapping[Run, Measured]) -> list[str]:
    scores = {run: measured.scores for run, measured in ready.items()}
    names = _columns(list(scores.values()))
    lines = head(["recipe", *names, "trained", "minutes", "captions/s"])
    for entry in plan.recipes:
        if runs := [run for run in ready if run.entry == entry]:
            figures = [_spread([scores[run].get(name) for run in runs]) for name in names]
            few = len(runs) < sum(run.entry == entry for run in wanted)
            seeds = f" ({_counted([run.seed for run in runs if run.seed is not None]).lower()})" * few
            lines.append(
                row([_label(runs[0], ready[runs[0]]) + seeds, *figures, *_costs([ready[run] for run in runs])])
            )
    references = {record.image_id: list(record.references) for record in records if record.split == plan.split}
    if all(len(texts) < 2 for texts in references.values()):  # one caption a photo: nobody to compare a person with
        return lines
    people = humans(references, [name for name in names if METRICS[name].missing(None) is None])
    figures = [number(people[name].value) if name in people else "" for name in names]
    return [*lines, row(["one human against the rest", *figures, "", "", ""])]


def _columns(scores: Sequence[Mapping[str, float]]) -> list[str]:
    """The standard metrics that half of the runs have, or more."""
    standard = [name for name, metric in METRICS.items() if metric.group == "standard"]
    return [name for name in standard if 2 * sum(name in found for found in scores) >= len(scores)]


def _label(run: Run, measured: Measured) -> str:
    return f"`{run.entry}`" + (f" (k = {measured.neighbours})" if measured.neighbours else "")


def _costs(own: Sequence[Measured]) -> list[str]:
    """Trained parameters, minutes of training with its validations, and captions a second of its steps."""
    if own[0].parameters is None:
        return ["0" if own[0].neighbours else "", "", ""]
    trained = f"{own[0].parameters / 1e6:.2f} M"
    if own[0].seconds is None:
        return [trained, "", ""]
    minutes = fmean(each.seconds or 0 for each in own) / 60
    return [trained, f"{minutes:.1f}", f"{fmean(each.pace or 0 for each in own):,.0f}"]


def _spread(values: Sequence[Any]) -> str:
    """Nothing where a seed lacks it: a mean of fewer would look like the others."""
    if None in values:
        return ""
    return number(fmean(values)) + (f" ± {number(stdev(values))}" if len(values) > 1 else "")
