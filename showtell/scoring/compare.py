"""Run folders, or files of captions and one file of references -> a comparison; and a comparison -> JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from showtell.cache.contents import digest_file
from showtell.checkpoint import read_recipe
from showtell.clip import Clip
from showtell.data import Record
from showtell.data.beside import photos_of
from showtell.data.scenes.scenes import check_drawn
from showtell.metrics import METRICS
from showtell.metrics.clipscore import SEEING
from showtell.metrics.names import chosen
from showtell.metrics.significance import RESAMPLES
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.reading import read_json
from showtell.recipe.build import build
from showtell.recipe.check import check_sections
from showtell.recipe.fixed import Evaluate
from showtell.recipe.tables import options
from showtell.scoring.comparison import ALONE, Comparison, compare, method
from showtell.scoring.formats import read_candidates, read_references
from showtell.settings.text import override

# What counts as a word; which model computes CLIPScore, and how.
OPEN = ("evaluate.words", "evaluate.clip", "evaluate.clip_protocol")


def compare_runs(
    runs: Sequence[Path],
    split: str = "val",
    overrides: Sequence[str] = (),
    references: Path | None = None,
    photos: Path | None = None,
    metrics: str | Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> Comparison:
    """Compare the captions that `showtell evaluate` wrote into run folders. With `references`, JSON files work too.

    `overrides` may change data and the options in OPEN. `photos` is the folder of the photos, for
    use with `references`. Raises InputError if a run was not evaluated, or if two runs have different references of one
    image.
    """
    names = () if metrics is None else chosen(metrics)  # a wrong name fails before data is read
    if len(runs) < 2:
        raise InputError(ALONE)
    seen = gather(runs, split, overrides, references, photos)
    given = dict(seen.given)
    recipe = {"data": {"name": "scenes"}} if references is not None else read_recipe(runs[0])
    settings = Evaluate(**options(check_sections(override(recipe, overrides), ["evaluate"]), "evaluate"))
    given["words"] = settings.words
    if seen.given and set(SEEING) & set(names):
        given["clip"] = Clip(settings.clip, settings.clip_protocol, console=console)
    comparison = compare(
        seen.candidates, seen.references, metrics, resamples=resamples, seed=seed, console=console, **given
    )
    return dataclasses.replace(comparison, sources=seen.sources)


class Gathered(NamedTuple):
    """What runs wrote and what people wrote, before anything is scored."""

    candidates: dict[str, dict[str, str]]  # by run, by image
    references: dict[str, list[str]]  # of the images that are in the data of all runs
    sources: dict[str, dict[str, str]]  # by run: its file, how `evaluate` made that
    given: dict[str, Any]  # training captions and photos, for metrics that need them
    records: list[Record]  # the first run's data; empty with a file of references


def gather(
    runs: Sequence[Path],
    split: str = "val",
    overrides: Sequence[str] = (),
    references: Path | None = None,
    photos: Path | None = None,
) -> Gathered:
    """Read the captions of runs and their references. Raises InputError if a run has none for this split."""
    _check(overrides, references, photos)
    files = {name: _captions(run, split, references) for name, run in named_runs(runs).items()}
    candidates = {name: read_candidates(path) for name, path in files.items()}
    sources = {name: {"captions": str(path), "evaluated": _evaluated(path)} for name, path in files.items()}
    given: dict[str, Any] = {}
    records: list[Record] = []
    if references is not None:
        every = dict.fromkeys(image_id for captions in candidates.values() for image_id in captions)
        known = read_references(references, every)
        given = {"photos": photos_of(list(every), photos)} if photos is not None else {}
    else:
        known, records = _known(dict(zip(candidates, runs, strict=True)), candidates, split, overrides)
        training = [text for record in records if record.split == "train" for text in record.references]
        given = {"training": training or None, "photos": {r.image_id: r.path for r in records if r.split == split}}
    return Gathered(candidates, known, sources, given, records)


def _check(overrides: Sequence[str], references: Path | None, photos: Path | None) -> None:
    keys = {item: item.partition("=")[0] for item in overrides}
    of_data = [item for item, key in keys.items() if key.partition(".")[0] == "data"]
    if others := [item for item, key in keys.items() if item not in of_data and key not in OPEN]:
        raise RecipeError(
            f"{others[0]} cannot be changed here",
            takes=["data", *OPEN],
            taker="compare changes only",
            advice="for other captions, run `showtell evaluate` again",
        )
    if of_data and references is not None:
        raise InputError(f"{of_data[0]} and --references both choose the references; give only one of them")
    if photos is not None and references is None:
        raise InputError(f"--photos {photos} works only with --references; remove it, the runs name their photos")


def named_runs(runs: Sequence[Path]) -> dict[str, Path]:
    """Runs by the name of their folder or file, or by path if two names are equal.

    Raises InputError if two are the same folder or file: whatever is said of their difference would be wrong.
    """
    places = [run.resolve() for run in runs]
    for run, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            advice = "name each run once"
            raise InputError("is named twice, and a run does not differ from itself", key=str(run), advice=advice)
    short = [place.stem if place.is_file() else place.name for place in places]
    names = short if len(set(short)) == len(short) else [str(run) for run in runs]
    return dict(zip(names, runs, strict=True))


def _captions(run: Path, split: str, references: Path | None) -> Path:
    """The file with the captions of a run."""
    if run.is_file():
        if references is None:
            advice = "give the human captions of its images with --references FILE"
            raise InputError("is a file of captions", key=str(run), advice=advice)
        return run
    if not run.is_dir():
        takes = "run folders, or JSON files of captions with --references FILE"
        raise InputError("does not exist", key=str(run), takes=takes, taker="compare takes")
    path = run / f"captions-{split}.json"
    if not path.is_file():
        read_recipe(run)  # raises another error if the folder is no run
        advice = f"run `showtell evaluate {run} --split {split}` first"
        raise InputError(f"has no {path.name}", key=str(run), advice=advice)
    return path


def _known(
    runs: Mapping[str, Path], candidates: Mapping[str, Mapping[str, str]], split: str, overrides: Sequence[str]
) -> tuple[dict[str, list[str]], list[Record]]:
    """The references of each image that is in the split of every run's data; and the first run's data."""
    built: dict[str, list[Record]] = {}
    known: dict[str, dict[str, list[str]]] = {}
    for name, run in runs.items():
        recipe = check_sections(override(read_recipe(run), overrides), ["data"])
        if not any(item.partition("=")[0].partition(".")[0] == "data" for item in overrides):
            check_drawn(recipe["data"])
        key = json.dumps(recipe["data"], sort_keys=True)
        built[key] = records = built[key] if key in built else build(recipe, "data")
        known[name] = {r.image_id: list(r.references) for r in records if r.split == split and r.references}
    (first, ours), *others = known.items()
    for name, theirs in others:
        both = [i for i in candidates[first] if i in candidates[name] and i in ours and i in theirs]
        if differ := [image_id for image_id in both if ours[image_id] != theirs[image_id]]:
            raise InputError(
                f"{first} and {name} have different references for {len(differ)} of {len(both)} images "
                f"(first: {differ[0]}); compare runs on the same data, or give --references FILE for all"
            )
    shared = {i: texts for i, texts in ours.items() if all(i in theirs for _, theirs in others)}
    return shared, next(iter(built.values()))


def _evaluated(captions: Path) -> str:
    """How `evaluate` made the captions: a signature of the scores beside them, without the metric's name; or nothing.

    Raises InputError if the scores belong to other captions.
    """
    if not captions.name.startswith("captions-"):
        return ""
    path = captions.with_name(captions.name.replace("captions-", "scores-", 1))
    try:
        content = read_json(path)
    except InputError:
        return ""
    try:
        if content.get("captions", now := digest_file(captions)) != now:
            raise InputError(
                f"{captions} was changed after it was scored in {path.name}; "
                f"run `showtell evaluate` again, or delete {path}"
            )
        scores = content["scores"]
        return str(next(iter(scores.values()))["signature"]).partition("|")[2]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return ""


def to_json(result: Comparison) -> dict[str, Any]:
    """All results, and how they were computed."""
    return {
        "first": result.first,
        "method": method(result),
        "resamples": result.resamples,
        "seed": result.seed,
        "images": len(result.references),
        "left_out": [dict(each._asdict()) for each in result.left_out],
        "metrics_left_out": result.scores[result.first].left_out,
        "runs": result.sources or {run: {} for run in result.candidates},
        "metrics": {
            name: {
                "signature": score.signature,
                "lower_is_better": METRICS[name].lower,
                "values": {run: scores[name].value for run, scores in result.scores.items()},
                "intervals": {run: scores[name].interval for run, scores in result.scores.items()},
                "differences": {
                    run: dataclasses.asdict(each) for run, each in result.differences.get(name, {}).items()
                },
            }
            for name, score in result.scores[result.first].items()
        },
        "per_image": {
            image_id: {
                run: {name: score.per_image[image_id] for name, score in scores.items()}
                for run, scores in result.scores.items()
            }
            for image_id in result.references
        },
    }
