"""A run and a split -> `scores-<split>.json` and `captions-<split>.json`; every number says how it came about."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell import checkpoint
from showtell.cache.contents import digest_file
from showtell.captioners import Captioner
from showtell.captioners.huggingface.network import CONFIG
from showtell.clip import Clip
from showtell.data import Record, notes
from showtell.data.scenes.scenes import check_drawn
from showtell.loading import DRIVEN, PLACES, load, load_folder, steer
from showtell.metrics.names import select
from showtell.metrics.score import Scores, check_ready, score, to_json
from showtell.plumbing.device import autocast, device_of
from showtell.plumbing.errors import InputError, RecipeError, ShowtellError
from showtell.plumbing.files import check_folder, write_json
from showtell.predict.captions import caption_records
from showtell.recipe.build import build
from showtell.recipe.fixed import Evaluate
from showtell.recipe.tables import nearest_option, options
from showtell.settings.text import Recipe
from showtell.training.resume import MACHINE

OPEN = ("data", "decode", "evaluate", *DRIVEN, *PLACES)  # what scoring may change; the rest made the weights


def evaluate(
    run: str | Path | Captioner, split: str = "val", overrides: Sequence[str] = (), out: str | Path | None = None
) -> dict[str, Any]:
    """Caption every photo of a split and score the captions: `showtell evaluate` from Python.

    `run` is a run folder; with a folder `out` it may also be a packaged model, a Hub id, or a captioner of your own
    (then give `overrides` such as `data.root=DIR`). Returns what scores-SPLIT.json holds: `{"scores": {metric:
    {"value", "interval", "signature"}}, "per_image": {image_id: {metric: value}}}`; scores of BLEU, METEOR, ROUGE-L and
    CIDEr-D are fractions, as coco-caption gives them (CIDEr-D up to 10).

    Raises InputError if there is no such run or the split has no captioned photos, RecipeError for an override that
    would change what made the weights.
    """
    place = run if isinstance(run, Captioner) else Path(run)
    return to_json(evaluate_run(place, split, overrides, out=None if out is None else Path(out)))


def evaluate_run(
    run: Path | Captioner,
    split: str = "val",
    overrides: Sequence[str] = (),
    console: Console | None = None,
    out: Path | None = None,
) -> Scores:
    """As `evaluate`, with what is found as Scores, and progress and notes on `console`.

    Captions and scores go into the run, or into the folder `out` with the recipe as overridden, which `compare` takes.
    """
    asked = {item.partition("=")[0]: item for item in overrides}
    captioner = _captioner(run, asked, out)
    recipe = steer(captioner, overrides)
    own = captioner.recipe or recipe
    _place(captioner, recipe, "train.device" in asked, console)
    folder = run if out is None else _folder(out, recipe)
    assert isinstance(folder, Path)
    settings = Evaluate(**options(recipe, "evaluate"))
    clip = Clip(settings.clip, settings.clip_protocol, device=captioner.device, console=console)
    check_ready(settings.metrics, clip)
    if "data" in recipe and not any(key.partition(".")[0] == "data" for key in asked):
        check_drawn(recipe["data"])
    everything, form = _captioned(recipe, console)
    records = _of_split(everything, split)
    training = _training(own, recipe, everything, console) if "copied" in select(settings.metrics) else []
    precision = recipe["train"]["precision"] if "train.precision" in asked else "fp32"
    with autocast(captioner.device, precision):
        records, found = caption_records(captioner, records, settings.batch_size, console, what=f"{split} photo")
    said = protocol(captioner, recipe, split, form) | ({"precision": precision} if precision != "fp32" else {})
    candidates = {image_id: caption.text for image_id, caption in found.items()}
    scores = score(
        candidates,
        {record.image_id: list(record.references) for record in records},
        settings.metrics,
        training=training or None,
        photos={record.image_id: record.path for record in records},
        clip=clip,
        protocol=said,
    )
    write_json(folder / f"captions-{split}.json", candidates)
    scores.captions = digest_file(folder / f"captions-{split}.json") or ""
    write_json(folder / f"scores-{split}.json", to_json(scores))
    return scores


def _captioner(run: Path | Captioner, asked: Mapping[str, str], out: Path | None) -> Captioner:
    """The captioner to score; all that can be wrong with the request is told before it is loaded."""
    for key, item in asked.items():
        if not {key, key.partition(".")[0]} & {*OPEN, *MACHINE}:
            raise RecipeError(
                f"{item} cannot be changed here",
                takes=[*OPEN, *MACHINE],
                taker="evaluate changes only",
                near=nearest_option(key, ["decode", "evaluate"]) if "." not in key else None,
                advice="the rest made the weights",
            )
    if out is not None:
        check_folder(out, "--out")
    if isinstance(run, Captioner):
        if out is None:
            raise InputError("a captioner has no folder for its scores; give out=FOLDER")
        return run
    if out is None and not run.is_dir():
        raise InputError(
            f"{run} is no folder; evaluate takes the folder of a run that `showtell train` made, or with --out FOLDER "
            "any model that `showtell caption` takes"
        )
    if out is None:
        check_folder(run, "the run", "give --out FOLDER")
        if not (run / checkpoint.RECIPE).is_file() and (run / CONFIG).is_file():
            raise InputError("is a model that others trained, not a run", key=str(run), advice="give --out FOLDER")
    moved = [item for key, item in asked.items() if key in PLACES]
    return load_folder(run, moved) if run.is_dir() else load(run, moved)


def _captioned(recipe: Recipe, console: Console | None) -> tuple[list[Record], str]:
    """The photos with captions, and the form in which `auto` found them."""
    if "data" not in recipe:
        raise InputError("this captioner comes with no data; say what to score it on, for example data.root=DIR")
    data = build(recipe, "data")
    if console is not None:
        for line in notes(data):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return [record for record in data if record.references], getattr(data, "form", "")


def _of_split(everything: Sequence[Record], split: str) -> list[Record]:
    records = [record for record in everything if record.split == split]
    if not records:
        have = {record.split for record in everything}
        raise InputError(f"--split is {split!r}; captioned photos are there for {', '.join(sorted(have)) or 'none'}")
    return records


def _folder(out: Path, recipe: Recipe) -> Path:
    """A folder of its own for what is found, with the recipe; never a run's."""
    if (out / checkpoint.MODEL).exists() or (out / "members").exists():
        raise InputError(f"--out {out} is a run of its own; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.write_recipe(out, recipe)
    return out


def _training(own: Recipe, recipe: Recipe, given: Sequence[Record], console: Console | None) -> list[str]:
    """The captions that the weights were made from, whatever is scored now; where they are not here, those `given`."""
    records, here = given, True
    if own.get("data", recipe["data"]) != recipe["data"]:
        try:
            check_drawn(own["data"])
            records = build(own, "data")
        except (ShowtellError, OSError):
            here = False
    captions = [text for record in records if record.split == "train" for text in record.references]
    if captions and not here and console is not None:
        said = "the run's own data is not here: captions count as copied that the data given now has for training"
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    return captions


def _place(captioner: Captioner, recipe: Recipe, asked: bool, console: Console | None) -> None:
    """Onto the recipe's device; where it is not there and nobody asked for it now, onto what this machine has."""
    name = recipe["train"]["device"]
    try:
        captioner.to(device_of(name))
    except InputError:
        if asked:
            raise
        captioner.to(device_of("auto"))
        if console is not None:
            said = f"the run's train.device={name} is not here: scoring on {captioner.device}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)


def protocol(captioner: Captioner, recipe: Recipe, split: str, form: str = "") -> dict[str, str]:
    """What a signature says beside the metric's own settings; `form` begins with the format that `auto` found."""
    chose = f" (chose the epoch by {captioner.chosen_by})" if split == "val" and captioner.chosen_by else ""
    return {
        "data": form.partition(":")[0] or recipe["data"]["name"],
        "split": split + chose,
        "decode": captioner.manner,
        "seed": str(recipe["train"]["seed"]),
    }
