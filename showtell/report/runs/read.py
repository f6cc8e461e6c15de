"""Run folders that `showtell evaluate` has scored -> everything that a report shows, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import nn

from showtell.captioners.captioner import Captioner
from showtell.checkpoint import MODEL, read_recipe
from showtell.data import Record
from showtell.loading import load_folder
from showtell.metrics import METRICS
from showtell.metrics.significance import RESAMPLES
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError, ShowtellError
from showtell.plumbing.origin import MADE, public
from showtell.plumbing.reading import read_json
from showtell.report.runs.log import Log, log_of
from showtell.scoring.compare import gather, named_runs
from showtell.scoring.comparison import DECIDES, Comparison, measure
from showtell.settings.text import Recipe

SPLITS = ("test", "val", "train")  # the first that every run was scored on is reported


@dataclass(frozen=True)
class Run:
    """One run folder, or a folder of `showtell evaluate --out`. What a folder does not hold is empty or None."""

    name: str
    folder: Path
    recipe: Recipe
    made: Mapping[str, Any]  # who trained it: command, version, commit, date, parameters
    scored: Mapping[str, Any]  # who captioned the split: command, seconds
    log: Log
    seconds: float | None  # of training
    parameters: Mapping[str, int]  # trained, all
    stored: Mapping[str, Any] = field(default_factory=dict)  # the content of its scores-SPLIT.json

    @cached_property
    def captioner(self) -> Captioner | None:
        """None if its weights, or files that it needs, are not on this machine."""
        try:
            return load_folder(self.weights).to(device_of("auto"))
        except (ShowtellError, OSError, ImportError):
            return None

    @property
    def weights(self) -> Path:
        """The folder with the weights: its own, or the one that `evaluate --out` captioned with."""
        model = Path(str(self.scored.get("model", "")))
        return model if not (self.folder / MODEL).exists() and (model / MODEL).exists() else self.folder


@dataclass(frozen=True)
class Runs:
    """Several runs on the same photos. `comparison` has the best run first; `runs` keep the order of the command."""

    runs: dict[str, Run]
    split: str
    comparison: Comparison
    data: str  # a line that says which photos and captions these are
    records: Sequence[Record] = ()

    @property
    def best(self) -> str:
        return self.comparison.first

    @property
    def names(self) -> list[str]:
        return list(self.runs)

    @property
    def decides(self) -> str:
        return self.comparison.decides

    @property
    def image_ids(self) -> list[str]:
        return list(self.comparison.references)

    def caption(self, run: str, image_id: str) -> str:
        return self.comparison.candidates[run][image_id]

    def values(self, metric: str) -> dict[str, dict[str, float]]:
        """The metric's value of each image, by run; also of metrics that only the stored scores have."""
        found: dict[str, dict[str, float]] = {}
        for name, run in self.runs.items():
            if metric in self.comparison.scores[name]:
                found[name] = self.comparison.scores[name][metric].per_image
            elif metric in run.stored.get("scores", {}):
                every = run.stored["per_image"]
                found[name] = {i: every[i][metric] for i in self.image_ids if metric in every.get(i, {})}
        return found

    @property
    def metrics(self) -> list[str]:
        """All metrics that some run has, in the order of the table of metrics."""
        every = {name for run in self.runs.values() for name in run.stored.get("scores", {})}
        every |= set(self.comparison.scores[self.best])
        return [name for name in METRICS if name in every]

    def mean(self, image_id: str) -> float:
        """The image's value of the metric that decides, mean of the runs."""
        every = [self.comparison.scores[name][self.decides].per_image[image_id] for name in self.runs]
        return sum(every) / len(every)


def read_runs(
    folders: Sequence[str | Path],
    split: str | None = None,
    overrides: Sequence[str] = (),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> Runs:
    """Read run folders and test every run against the best. `overrides` may change data, as `data.root=DIR`.

    Without a `split`, the report is about `test` if all runs were scored on it, else `val`, else `train`.
    Raises InputError if a folder is no run, was not scored on the split, or has no photo in common with the others.
    """
    if not folders:
        raise InputError("no run is given; name one or more run folders")
    named = named_runs([Path(folder) for folder in folders])
    split = split or _split(named)
    seen = gather(list(named.values()), split, overrides)
    runs = {name: read_run(name, folder, split) for name, folder in named.items()}
    runs = {name: _once(run, runs) for name, run in runs.items()}
    some: dict[str, Any] = dict(seen.given)
    quick = measure(seen.candidates, seen.references, DECIDES, resamples=0)
    order = sorted(quick.scores, key=lambda name: -quick.scores[name][DECIDES].value)
    candidates = {name: seen.candidates[name] for name in order}
    tested = measure(candidates, seen.references, resamples=resamples, seed=seed, console=console, **some)
    comparison = replace(tested, sources=seen.sources)
    records = [record for record in seen.records if record.image_id in comparison.references]
    return Runs(runs, split, comparison, _data(runs, split, comparison), records)


def _split(named: Mapping[str, Path]) -> str:
    """The split that all runs have captions of; `val` if there is none, so that the error speaks of it."""
    for split in SPLITS:
        if all((folder / f"captions-{split}.json").is_file() for folder in named.values()):
            return split
    return "val"


def read_run(name: str, folder: Path, split: str) -> Run:
    """One folder without its weights, which `Run.captioner` loads when they are needed."""
    stored = _json(folder / f"scores-{split}.json")
    scored = stored.get("made", {})
    run = Run(name, folder, read_recipe(folder), {}, scored, Log(), None, {}, stored)
    made = _json(run.weights / MADE)
    state = _json(run.weights / "last" / "state.json")
    parameters = made.get("parameters") or _count(run)
    return replace(run, made=made, log=log_of(run.weights), seconds=state.get("seconds"), parameters=parameters)


def _once(run: Run, runs: Mapping[str, Run]) -> Run:
    """The run without its log, if another run of the report has the same weights: one training, one curve."""
    weights = {other.folder.resolve() for other in runs.values() if other is not run}
    same = run.weights != run.folder and run.weights.resolve() in weights
    return replace(run, log=Log()) if same else run


def _count(run: Run) -> dict[str, int]:
    """Parameters of a run that was trained before they were written down."""
    parts = [getattr(run.captioner, name, None) for name in ("encoder", "decoder")]
    every = [weight for part in parts if isinstance(part, nn.Module) for weight in part.parameters()]
    trained = sum(weight.numel() for weight in every if weight.requires_grad)
    return {"trained": trained, "all": sum(weight.numel() for weight in every)} if every else {}


def _json(path: Path) -> dict[str, Any]:
    """The object in a file that Showtell wrote; empty if there is none or it is damaged: a report can do without."""
    try:
        content = read_json(path)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def _data(runs: Mapping[str, Run], split: str, comparison: Comparison) -> str:
    """`karpathy, test: 210 photos, references 3f9a1c..`: equal lines mean equal photos and captions."""
    data = next(iter(runs.values())).recipe.get("data", {})
    content = sorted(comparison.references.items())
    digest = blake2b(repr(content).encode(), digest_size=8).hexdigest()
    place = f" in {public(str(data['root']))}" if data.get("root") else ""
    return f"{data.get('name', 'captions')}{place}, {split}: {len(content):,} photos, references {digest}"
