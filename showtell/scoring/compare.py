"""Run folders, or files of captions beside one of references -> a comparison; and a comparison -> JSON."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from showtell.recipe.build import build
from showtell.recipe.check import check_sections
from showtell.recipe.fixed import Evaluate
from showtell.recipe.tables import options
from showtell.scoring.comparison import ALONE, Comparison, compare, method
from showtell.scoring.formats import read_candidates, read_references
from showtell.settings.text import override

MODEL = ("evaluate.clip", "evaluate.clip_protocol")  # what CLIPScore looks with


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
    """Compare run folders by what `showtell evaluate` wrote there; with a file of references, any captions JSON too.

    `overrides` are of data, and of what looks at photos: `evaluate.clip`, `evaluate.clip_protocol`. Beside references,
    `photos` is the folder of the photos. Raises InputError for a run that was not evaluated, and where runs have other
    references of one image.
    """
    names = () if metrics is None else chosen(metrics)  # a wrong name is said before data is read
    if len(runs) < 2:
        raise InputError(ALONE)
    _check(overrides, references, photos)
    files = {name: _captions(run, split, references) for name, run in _named(runs).items()}
    said = {name: read_candidates(path) for name, path in files.items()}
    sources = {name: {"captions": str(path), "evaluated": _evaluated(path)} for name, path in files.items()}
    given: dict[str, Any] = {}
    if references is not None:
        every = dict.fromkeys(image_id for captions in said.values() for image_id in captions)
        known = read_references(references, every)
        given = {"photos": photos_of(list(every), photos)} if photos is not None else {}
    else:
        known, records = _known(dict(zip(said, runs, strict=True)), said, split, overrides)
        training = [text for record in records if record.split == "train" for text in record.references]
        given = {"training": training or None, "photos": {r.image_id: r.path for r in records if r.split == split}}
    if given and set(SEEING) & set(names):
        recipe = {"data": {"name": "scenes"}} if references is not None else read_recipe(runs[0])
        settings = Evaluate(**options(check_sections(override(recipe, overrides), ["evaluate"]), "evaluate"))
        given["clip"] = Clip(settings.clip, settings.clip_protocol, console=console)
    found = compare(said, known, metrics, resamples=resamples, seed=seed, console=console, **given)
    return dataclasses.replace(found, sources=sources)


def _check(overrides: Sequence[str], references: Path | None, photos: Path | None) -> None:
    keys = {item: item.partition("=")[0] for item in overrides}
    of_data = [item for item, key in keys.items() if key.partition(".")[0] == "data"]
    if others := [item for item, key in keys.items() if item not in of_data and key not in MODEL]:
        raise RecipeError(f"{others[0]}: compare changes data and {', '.join(MODEL)} alone; evaluate made the captions")
    if of_data and references is not None:
        raise InputError(f"{of_data[0]} and --references both say where references are from; give one of them")
    if photos is not None and references is None:
        raise InputError(f"--photos {photos} goes with --references; the data of runs has photos of its own")


def _named(runs: Sequence[Path]) -> dict[str, Path]:
    """Runs by their folder's or file's name; by their paths where two share one, and counted where one comes twice."""
    short = [run.resolve().stem if run.is_file() else run.resolve().name for run in runs]
    names = short if len(set(short)) == len(short) else [str(run) for run in runs]
    return {
        f"{name} ({names[:at].count(name) + 1})" if name in names[:at] else name: runs[at]
        for at, name in enumerate(names)
    }


def _captions(run: Path, split: str, references: Path | None) -> Path:
    """The file of a run's captions."""
    if run.is_file():
        if references is None:
            raise InputError(f"{run} is a file: say with --references FILE which captions people wrote of its images")
        return run
    if not run.is_dir():
        raise InputError(f"{run} does not exist; compare takes run folders, or captions.json beside --references FILE")
    path = run / f"captions-{split}.json"
    if not path.is_file():
        read_recipe(run)  # a folder that is no run is told so
        raise InputError(f"{run} has no {path.name}; `showtell evaluate {run} --split {split}` makes it")
    return path


def _known(
    runs: Mapping[str, Path], said: Mapping[str, Mapping[str, str]], split: str, overrides: Sequence[str]
) -> tuple[dict[str, list[str]], list[Record]]:
    """References of the split by image, of the images that all runs' data have; and the first run's data."""
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
        both = [i for i in said[first] if i in said[name] and i in ours and i in theirs]
        if differ := [image_id for image_id in both if ours[image_id] != theirs[image_id]]:
            raise InputError(
                f"{first} and {name} have other references of {len(differ)} of {len(both)} images "
                f"(first: {differ[0]}); compare takes runs on the same data, or --references FILE for all"
            )
    shared = {i: texts for i, texts in ours.items() if all(i in theirs for _, theirs in others)}
    return shared, next(iter(built.values()))


def _evaluated(captions: Path) -> str:
    """How `evaluate` made the captions: the end of a signature in the scores beside them, or nothing.

    Raises InputError if the scores are those of other captions.
    """
    if not captions.name.startswith("captions-"):
        return ""
    path = captions.with_name(captions.name.replace("captions-", "scores-", 1))
    try:
        content = json.loads(path.read_text("utf-8"))
        if content.get("captions", now := digest_file(captions)) != now:
            raise InputError(
                f"{captions} is not what {path} scores: it was written or changed later; "
                f"run `showtell evaluate` again, or remove {path.name}"
            )
        scores = content["scores"]
        return str(next(iter(scores.values()))["signature"]).partition("|")[2]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return ""


def to_json(found: Comparison) -> dict[str, Any]:
    """All that was found, and how."""
    return {
        "first": found.first,
        "method": method(found),
        "resamples": found.resamples,
        "seed": found.seed,
        "images": len(found.references),
        "left_out": [dict(each._asdict()) for each in found.left_out],
        "metrics_left_out": found.scores[found.first].left_out,
        "runs": found.sources or {run: {} for run in found.candidates},
        "metrics": {
            name: {
                "signature": score.signature,
                "lower_is_better": METRICS[name].lower,
                "values": {run: scores[name].value for run, scores in found.scores.items()},
                "intervals": {run: scores[name].interval for run, scores in found.scores.items()},
                "differences": {run: dataclasses.asdict(each) for run, each in found.differences.get(name, {}).items()},
            }
            for name, score in found.scores[found.first].items()
        },
        "per_image": {
            image_id: {
                run: {name: score.per_image[image_id] for name, score in scores.items()}
                for run, scores in found.scores.items()
            }
            for image_id in found.references
        },
    }
