"""Finished runs -> a section of Markdown between markers of a page; every figure is read from the run's own files."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.results.plan import DataSet, Plan, Run, runs_of
from benchmarks.results.work import state_of
from showtell import checkpoint
from showtell.captioners import Neural, load
from showtell.captioners.nearest import NEIGHBOURS
from showtell.data import Record
from showtell.errors import InputError
from showtell.log import read_log
from showtell.metrics import METRICS, humans
from showtell.recipe import LOSS, build

SHOWN_ROOT, SHOWN_RUNS = "datasets", "runs/results"  # on the page, wherever they are here


def section(plan: Plan, name: str, root: str, ready: Sequence[Run]) -> str:
    """Commands, protocol and table of one data set."""
    wanted = runs_of(plan, name, root, ready[0].folder.parent if ready else Path(SHOWN_RUNS))
    records = [record for record in build(wanted[0].checked, "data") if record.references]
    protocol = _protocol(plan, plan.datasets[name], records, ready)
    lines = [_commands(plan, name), "", protocol, "", *_table(plan, records, ready)]
    left = [run.name for run in wanted if run not in ready]
    return "\n".join([*lines, *(["", f"Not made yet: {', '.join(left)}."] if left else [])])


def _commands(plan: Plan, name: str) -> str:
    """What to type; the page says where the plan puts things, not where they lay on this machine."""
    lines = ["```bash", f"make results {name.upper()}={SHOWN_ROOT}/{name}  # all of it, in this order:"]
    runs = runs_of(plan, name, f"{SHOWN_ROOT}/{name}", Path(SHOWN_RUNS))
    for recipe in plan.recipes:
        own = [run for run in runs if run.recipe == recipe]
        commands = [shlex.join(["showtell", *words]) for words in (own[0].train, own[0].evaluate)]
        lines += commands if len(own) == 1 else _loop(commands, own)
    return "\n".join([*lines, "```"])


def _loop(commands: Sequence[str], runs: Sequence[Run]) -> list[str]:
    """A shell's loop over the seeds, from the commands of the first run; its folder's name ends in the seed."""
    seed, name = str(runs[0].seed), runs[0].name
    places = {f"train.seed={seed}": "train.seed=$seed", name: f"{name.removesuffix(seed)}$seed"}
    for written, placed in places.items():
        commands = [command.replace(written, placed) for command in commands]
    return [f"for seed in {' '.join(str(run.seed) for run in runs)}; do", *(f"  {c}" for c in commands), "done"]


def _protocol(plan: Plan, dataset: DataSet, records: Sequence[Record], ready: Sequence[Run]) -> str:
    """What one must know to compare the figures; of the recipes, what their runs saved."""
    photos = {split: sum(record.split == split for record in records) for split in ("train", "val", "test")}
    recipes = [checkpoint.read_recipe(run.folder) for run in ready]
    learned = [recipe for recipe in recipes if "decode" in recipe]
    said = [
        f"Photos with captions: {', '.join(f'{count:,} {split}' for split, count in photos.items() if count)}.",
        f"Scored: {plan.split}, by coco-caption's protocol.",
    ]
    said += [f"Decoding: {text}." for text in sorted({_decoding(recipe["decode"]) for recipe in learned})]
    for text in sorted({recipe["train"]["select"].replace(LOSS, "the validation loss") for recipe in learned}):
        said.append(f"The epoch was chosen by {text} on the validation photos, their captions greedy.")
    if plan.split == "val":
        said.append("**The same photos are scored here, which flatters trained models a little.**")
    seeds = ", ".join(map(str, dataset.seeds))
    said.append(f"Seeds {seeds}: mean ± standard deviation." if len(dataset.seeds) > 1 else f"Seed {seeds}.")
    if any(len(record.references) > 1 for record in records):
        said.append("The last row scores each of a photo's captions against its others, so with one reference fewer.")
    return "\n".join(said)


def _decoding(section: Mapping[str, Any]) -> str:
    return f"{section['name']}, " + ", ".join(f"{key} {value}" for key, value in section.items() if key != "name")


def _table(plan: Plan, records: Sequence[Record], ready: Sequence[Run]) -> list[str]:
    scores = {run: _scores(run) for run in ready}
    standard = [name for name, metric in METRICS.items() if metric.group == "standard"]
    names = [name for name in standard if all(name in found for found in scores.values())]
    lines = [_row(["recipe", *names, "trained", "minutes", "captions/s"]), "|---" * (len(names) + 4) + "|"]
    for recipe in plan.recipes:
        runs = [run for run in ready if run.recipe == recipe]
        if runs:
            figures = [_spread([scores[run][name] for run in runs]) for name in names]
            lines.append(_row([_label(runs[0]), *figures, *_costs(runs)]))
    references = {record.image_id: list(record.references) for record in records if record.split == plan.split}
    if all(len(texts) < 2 for texts in references.values()):  # one caption a photo: nobody to compare a person with
        return lines
    people = humans(references, names)
    return [*lines, _row(["one human against the rest", *(_number(people[name].value) for name in names), "", "", ""])]


def _scores(run: Run) -> dict[str, float]:
    content = json.loads((run.folder / f"scores-{run.split}.json").read_text("utf-8"))
    return {name: entry["value"] for name, entry in content["scores"].items()}


def _label(run: Run) -> str:
    neighbours = run.folder / NEIGHBOURS
    k = json.loads(neighbours.read_text("utf-8"))["k"] if neighbours.is_file() else None
    return f"`{run.recipe}`" + (f" (k = {k})" if k else "")


def _costs(runs: Sequence[Run]) -> list[str]:
    """Trained parameters, minutes of training with its validations, and captions a second of its steps."""
    captioner = load(runs[0].folder)
    if not isinstance(captioner, Neural):
        return ["0", "", ""]
    parts = (captioner.encoder, captioner.decoder)
    trained = sum(p.numel() for part in parts for p in part.parameters() if p.requires_grad)
    seconds = [state_of(run)["seconds"] for run in runs]
    return [f"{trained / 1e6:.2f} M", f"{fmean(seconds) / 60:.1f}", f"{fmean(map(_pace, runs)):,.0f}"]


def _pace(run: Run) -> float:
    """The median of the steps that were logged."""
    return float(median(row["captions_per_second"] for row in read_log(run.folder) if "captions_per_second" in row))


def _spread(values: Sequence[float]) -> str:
    return _number(fmean(values)) + (f" ± {_number(stdev(values))}" if len(values) > 1 else "")


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def check_markers(page: Path, names: Sequence[str]) -> None:
    """InputError where the page has no place for a data set: asked before hours of training."""
    text = page.read_text("utf-8") if page.exists() else ""
    for name in names:
        if page.exists() and len(_between(name).findall(text)) != 1:
            begin, end = _markers(name)
            raise InputError(f"{page} has no one place for {name}: it takes a line {begin} and below it a line {end}")


def write_sections(page: Path, sections: Mapping[str, str]) -> None:
    """Put each section between its markers, and leave all else; a page that does not exist is made."""
    made = "".join("\n".join(_markers(name)) + "\n\n" for name in sections)
    text = page.read_text("utf-8") if page.exists() else made
    for name, content in sections.items():
        begin, end = _markers(name)
        text = _between(name).sub(_constant(f"{begin}\n\n{content}\n\n{end}"), text)
    checkpoint.write_text(page, text)


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda found: text


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- made by make results: {name} -->", f"<!-- end of {name} -->"


def _between(name: str) -> re.Pattern[str]:
    begin, end = map(re.escape, _markers(name))
    return re.compile(f"{begin}.*?{end}", re.DOTALL)
