"""Finished runs of a data set -> commands, protocol and table; every figure is read from the run's own files."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.results.page import SHOWN_ROOT, SHOWN_RUNS, head, number, quoted, row, shown_runs, typed
from benchmarks.results.plan import DataSet, Plan
from benchmarks.results.runs import Run, runs_of
from benchmarks.results.work import state_of
from showtell import checkpoint
from showtell.captioners import Neural
from showtell.captioners.ensemble import Ensemble
from showtell.captioners.nearest import NEIGHBOURS
from showtell.data import Record
from showtell.encoders.turned import VIEWS
from showtell.loading import load
from showtell.metrics import METRICS
from showtell.metrics.humans import humans
from showtell.recipe.check import check
from showtell.recipe.fixed import LOSS
from showtell.settings.text import Recipe
from showtell.training.log import read_log

FOLDED = "<details><summary>The commands of this table</summary>"


def section(plan: Plan, name: str, wanted: Sequence[Run], ready: Sequence[Run], records: Sequence[Record]) -> str:
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
    plan: Plan, dataset: DataSet, wanted: Sequence[Run], ready: Sequence[Run], records: Sequence[Record]
) -> str:
    """What a reader needs to compare the figures. Decoding and epochs come from the recipes that the runs saved."""
    photos = {split: sum(record.split == split for record in records) for split in ("train", "val", "test")}
    said = [
        f"Photos with captions: {', '.join(f'{count:,} {split}' for split, count in photos.items() if count)}.",
        f"Scores: split {plan.split}, coco-caption's protocol.",
    ]
    said += [f"Decoding{of}: {text}." for of, text in _by_entry(ready, _decoding)]
    for of, text in _by_entry(ready, _choice):
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


def _by_entry(ready: Sequence[Run], what: Callable[[Path, Recipe], str | None]) -> list[tuple[str, str]]:
    """What is said of the recipes, and of which where they differ: `(" of `a`, `b`", text)`."""
    found: dict[str, list[str]] = {}
    for run in {run.entry: run for run in ready}.values():
        source = run.needs[0] if run.kind == "decoded" else run  # where the weights are, or the members
        if text := what(source.folder, check(checkpoint.read_recipe(run.folder))):
            found.setdefault(text, []).append(run.entry)
    return [(f" of {quoted(entries)}" if len(found) > 1 else "", text) for text, entries in found.items()]


def _decoding(folder: Path, recipe: Recipe) -> str | None:
    if "decode" not in recipe:
        return None
    said = (f"{key} {value}" for key, value in recipe["decode"].items() if key != "name" and value != [])
    views = recipe["captioner"].get("views", "none")
    return ", ".join([recipe["decode"]["name"], *said, *([f"views {views}"] if VIEWS[views] else [])])


def _choice(folder: Path, recipe: Recipe) -> str | None:
    """Of an ensemble, what its members' epochs were chosen by."""
    for member in recipe["captioner"].get("members", [])[:1]:
        return _choice(folder / member, check(checkpoint.read_recipe(folder / member)))
    name = recipe["train"].get("select")
    return name and str(name).replace(LOSS, "the validation loss")


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


def _table(plan: Plan, records: Sequence[Record], wanted: Sequence[Run], ready: Sequence[Run]) -> list[str]:
    scores = {run: _scores(run) for run in ready}
    names = _columns(list(scores.values()))
    lines = head(["recipe", *names, "trained", "minutes", "captions/s"])
    for entry in plan.recipes:
        if runs := [run for run in ready if run.entry == entry]:
            figures = [_spread([scores[run].get(name) for run in runs]) for name in names]
            few = len(runs) < sum(run.entry == entry for run in wanted)
            seeds = f" ({_counted([run.seed for run in runs if run.seed is not None]).lower()})" * few
            lines.append(row([_label(runs[0]) + seeds, *figures, *_costs(runs)]))
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


def _scores(run: Run) -> dict[str, float]:
    content = json.loads((run.folder / f"scores-{run.split}.json").read_text("utf-8"))
    return {name: entry["value"] for name, entry in content["scores"].items()}


def _label(run: Run) -> str:
    neighbours = run.folder / NEIGHBOURS
    k = json.loads(neighbours.read_text("utf-8"))["k"] if neighbours.is_file() else None
    return f"`{run.entry}`" + (f" (k = {k})" if k else "")


def _costs(runs: Sequence[Run]) -> list[str]:
    """Trained parameters, minutes of training with its validations, and captions a second of its steps."""
    if runs[0].kind == "decoded":
        return ["", "", ""]
    captioner = load(runs[0].folder)
    if not isinstance(captioner, Neural | Ensemble):
        return ["0", "", ""]
    parts = (captioner.encoder, captioner.decoder)
    trained = f"{sum(p.numel() for part in parts for p in part.parameters() if p.requires_grad) / 1e6:.2f} M"
    if runs[0].kind == "ensemble":
        return [trained, "", ""]
    seconds = [state_of(run)["seconds"] for run in runs]
    return [trained, f"{fmean(seconds) / 60:.1f}", f"{fmean(map(_pace, runs)):,.0f}"]


def _pace(run: Run) -> float:
    """The median of the steps that were logged."""
    return float(median(line["captions_per_second"] for line in read_log(run.folder) if "captions_per_second" in line))


def _spread(values: Sequence[Any]) -> str:
    """Nothing where a seed lacks it: a mean of fewer would look like the others."""
    if None in values:
        return ""
    return number(fmean(values)) + (f" ± {number(stdev(values))}" if len(values) > 1 else "")
