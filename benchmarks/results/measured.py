"""A finished run -> its figures, in two small files of the project, so that a table needs no run folder.

Training all runs of the plan takes longer than a machine may be there. `NAME-SPLIT.json` has the recipe, the scores
and the costs; `NAME-SPLIT.npz` has what each photo adds to each metric, for the tables that compare runs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from statistics import median
from typing import Any
from zipfile import BadZipFile

import numpy as np

from benchmarks.results.page import shown_runs
from benchmarks.results.plan import Plan
from benchmarks.results.runs import Run
from benchmarks.results.work import differs, is_scored, is_trained, state_of
from showtell import checkpoint
from showtell.captioners.nearest import NEIGHBOURS
from showtell.data import Record
from showtell.encoders.turned import VIEWS
from showtell.metrics import METRICS
from showtell.metrics.metric import Rows
from showtell.metrics.score import read, statistics
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole, write_json
from showtell.plumbing.origin import MADE
from showtell.plumbing.reading import read_json
from showtell.recipe.check import check
from showtell.recipe.fixed import LOSS
from showtell.scoring.formats import read_candidates
from showtell.settings.text import Recipe
from showtell.training.log import read_log

PLACE = Path(__file__).with_name("measured")
LIMIT = 1 << 20  # bytes of a file of figures


@dataclass(frozen=True)
class Measured:
    """The figures of a run. `rows` has a row for each photo of the split, NaN where the run has no caption of it."""

    recipe: Recipe  # with the paths that the page shows
    scores: dict[str, float]
    photos: str  # a digest of the split's photos and captions: only rows of the same photos can be compared
    decoding: str | None = None
    choice: str | None = None  # what chose the epoch
    neighbours: int | None = None
    parameters: int | None = None  # that training changes
    seconds: float | None = None  # of training with its validations
    pace: float | None = None  # captions a second: the median of the steps that were logged
    commit: str = ""
    rows: dict[str, Rows] = field(default_factory=dict)


def measure(plan: Plan, run: Run, records: Sequence[Record]) -> Measured:
    """Read the figures of a trained and scored run from its folder."""
    source = run.needs[0] if run.kind == "decoded" else run  # where the weights are, or the members
    saved = check(checkpoint.read_recipe(run.folder))
    content = json.loads((run.folder / f"scores-{run.split}.json").read_text("utf-8"))
    neighbours = run.folder / NEIGHBOURS
    trained = run.kind == "trained" and (run.folder / "last").is_dir()
    return Measured(
        recipe=_shown(plan, run),
        scores={name: entry["value"] for name, entry in content["scores"].items()},
        photos=digest_of(_references(records, run.split)),
        decoding=_decoding(saved),
        choice=_choice(source.folder, saved),
        neighbours=json.loads(neighbours.read_text("utf-8"))["k"] if neighbours.is_file() else None,
        parameters=_parameters(run),
        seconds=state_of(run)["seconds"] if trained else None,
        pace=_pace(run.folder) if trained else None,
        commit=_made(run.folder).get("commit", ""),
        rows=_rows(run, _names(plan, run), _references(records, run.split)),
    )


def is_kept(run: Run, place: Path) -> bool:
    """Whether there are figures of the run."""
    return _file(run, place).is_file()


def _file(run: Run, place: Path) -> Path:
    """The scores of another split are another file."""
    return place / f"{run.name}-{run.split}.json"


def gather(plan: Plan, runs: Sequence[Run], records: Sequence[Record], place: Path) -> dict[Run, Measured]:
    """The figures of all runs that have some: from their folders, which also renews the files, or from the files."""
    found: dict[Run, Measured] = {}
    for run in runs:
        if is_trained(run) and is_scored(run):
            found[run] = measure(plan, run, records)
            write(_file(run, place), found[run])
        elif (kept := read_kept(plan, run, place)) is not None:
            found[run] = kept
    return found


def write(path: Path, measured: Measured) -> None:
    """Write both files, first the rows, so that a file of figures is never without them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path.with_suffix(".npz")) as part, part.open("wb") as file:
        small: dict[str, Any] = {name: rows.astype(np.float32) for name, rows in measured.rows.items()}
        np.savez_compressed(file, **small)
    content = asdict(measured)
    del content["rows"]
    write_json(path, content)


def read_kept(plan: Plan, run: Run, place: Path) -> Measured | None:
    """What is kept of a run, None if nothing is. Raises InputError if another recipe made it."""
    path = _file(run, place)
    if not is_kept(run, place):
        return None
    content = read_json(path, LIMIT)
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as rows:
            kept = Measured(**content, rows={name: rows[name].astype(np.float64) for name in rows.files})
    except (TypeError, ValueError, OSError, BadZipFile) as error:
        raise InputError(f"{path} or its .npz is damaged ({error}); delete both to make the run anew") from None
    if wrong := differs(kept.recipe, _shown(plan, run)):
        key, before, now = wrong
        raise InputError(
            f"{path} was made with {key}={before}, and the plan says {now}; delete it to make the run anew"
        )
    return kept


def digest_of(references: Mapping[str, Sequence[str]]) -> str:
    """16 hex digits of photos' names and captions, in any order."""
    return blake2b(json.dumps(sorted(references.items())).encode(), digest_size=8).hexdigest()


def _shown(plan: Plan, run: Run) -> Recipe:
    return next(shown.checked for shown in shown_runs(plan, run.dataset) if shown.name == run.name)


def _references(records: Sequence[Record], split: str) -> dict[str, list[str]]:
    return {r.image_id: list(r.references) for r in records if r.split == split and r.references}


def _names(plan: Plan, run: Run) -> list[str]:
    """The metrics by which some table compares the run."""
    effects = [e for e in plan.effects.values() if run.entry in e.of and run.dataset in e.datasets]
    names = dict.fromkeys(name for effect in effects for name in effect.metrics)
    return [name for name in names if METRICS[name].missing(None) is None]


def _rows(run: Run, names: Sequence[str], references: Mapping[str, Sequence[str]]) -> dict[str, Rows]:
    if not names:
        return {}
    told = read_candidates(run.folder / f"captions-{run.split}.json")
    captioned = [image_id for image_id in references if image_id in told]
    of_captioned = {image_id: list(references[image_id]) for image_id in captioned}
    found = statistics(names, read({image_id: told[image_id] for image_id in captioned}, of_captioned))
    places = np.array([image_id in told for image_id in references])
    rows = {name: np.full((len(references), own.shape[1]), np.nan) for name, own in found.items()}
    for name, own in found.items():
        rows[name][places] = own
    return rows


def _parameters(run: Run) -> int | None:
    """How many numbers training changes; of an ensemble those of its members together."""
    if run.kind == "ensemble":
        return sum(_parameters(member) or 0 for member in run.needs)
    found = _made(run.folder).get("parameters", {})
    return found.get("trained") if run.kind == "trained" else None


def _made(folder: Path) -> dict[str, Any]:
    path = folder / MADE
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def _pace(folder: Path) -> float:
    return float(median(line["captions_per_second"] for line in read_log(folder) if "captions_per_second" in line))


def _decoding(recipe: Recipe) -> str | None:
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
