"""A run and a split -> `scores-<split>.json` and `captions-<split>.json`. A signature says how each score was made."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell import checkpoint
from showtell.cache.contents import digest_file
from showtell.captioners import Captioner
from showtell.captioners.huggingface.network import CONFIG
from showtell.captioners.speaking import returns_several
from showtell.clip import Clip
from showtell.data import Record, notes
from showtell.data.scenes.scenes import check_drawn
from showtell.loading import DRIVEN, PLACES, load, load_folder, steer
from showtell.metrics.names import select
from showtell.metrics.score import Scores, check_ready, score, to_json
from showtell.metrics.tokenize import NAME
from showtell.plumbing.device import autocast, device_of
from showtell.plumbing.errors import InputError, RecipeError, ShowtellError
from showtell.plumbing.files import check_folder, write_json
from showtell.plumbing.messages import say
from showtell.plumbing.origin import made_in, origin
from showtell.plumbing.scripts import unspaced
from showtell.predict.album.confidence import calibrate
from showtell.predict.captions import caption_records
from showtell.recipe.build import build
from showtell.recipe.fixed import Evaluate
from showtell.recipe.tables import nearest_option, options
from showtell.settings.text import Recipe
from showtell.training.resume import MACHINE

OPEN = ("data", "decode", "evaluate", *DRIVEN, *PLACES)  # scoring may change only what needs no new weights


def evaluate(
    run: str | Path | Captioner, split: str = "val", overrides: Sequence[str] = (), out: str | Path | None = None
) -> dict[str, Any]:
    """Caption every photo of a split and score the captions: `showtell evaluate` from Python.

    `run` is a run folder. With a folder `out` it may also be a packaged model, a Hub id, or your own captioner (then
    give `overrides` such as `data.root=DIR`). Returns the content of scores-SPLIT.json: `{"scores": {metric: {"value",
    "interval", "signature"}}, "per_image": {image_id: {metric: value}}}`. Scores of BLEU, METEOR, ROUGE-L and CIDEr-D
    are fractions, as in coco-caption: .32, not 32 (CIDEr-D goes up to 10).

    Raises InputError if there is no such run or the split has no captioned photos. Raises RecipeError if an override
    changes an option that the weights depend on.
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
    """Like `evaluate`, but returns Scores, and shows progress and notes on `console`.

    Captions and scores are written into the run, or into the folder `out` together with the overridden recipe.
    `compare` can read both folders.
    """
    asked = {item.partition("=")[0]: item for item in overrides}
    captioner = _captioner(run, asked, out)
    recipe = steer(captioner, overrides)
    own = captioner.recipe or recipe
    _place(captioner, recipe, "train.device" in asked, console)
    if returns_several(captioner.decode):
        several = captioner.decode["num_return_sequences"]
        say(console, f"decode.num_return_sequences={several}: only the best caption of each photo is scored")
    folder = run if out is None else _folder(out, recipe)
    assert isinstance(folder, Path)
    settings = Evaluate(**options(recipe, "evaluate"))
    clip = Clip(settings.clip, settings.clip_protocol, device=captioner.device, console=console)
    check_ready(settings.metrics, clip)
    if "data" in recipe and not any(key.partition(".")[0] == "data" for key in asked):
        check_drawn(recipe["data"])
    try:
        everything, form = _captioned(recipe, console)
    except InputError as error:
        if error.key == "data.root" and "data.root" not in asked and isinstance(run, Path):
            there = f" in {made_in(run)}" if made_in(run) else ""
            error.advice = f"the run was trained{there}; give data.root=DIR, where its photos are now"
        raise
    records = _of_split(everything, split)
    _warn_of_script(records, settings.words, console)
    training = _training(own, recipe, everything, console) if "copied" in select(settings.metrics) else []
    started = time.perf_counter()
    precision = recipe["train"]["precision"] if "train.precision" in asked else "fp32"
    with autocast(captioner.device, precision):
        records, captions = caption_records(captioner, records, settings.batch_size, console, what=f"{split} photo")
    seconds = round(time.perf_counter() - started, 2)
    signature = protocol(captioner, recipe, split, form) | ({"precision": precision} if precision != "fp32" else {})
    candidates = {image_id: caption.text for image_id, caption in captions.items()}
    scores = score(
        candidates,
        {record.image_id: list(record.references) for record in records},
        settings.metrics,
        training=training or None,
        photos={record.image_id: record.path for record in records},
        clip=clip,
        protocol=signature,
        words=settings.words,
    )
    write_json(folder / f"captions-{split}.json", candidates)
    scores.captions = digest_file(folder / f"captions-{split}.json") or ""
    scores.made = origin() | {"model": _name(run), "captioning_seconds": seconds}
    write_json(folder / f"scores-{split}.json", to_json(scores))
    if split == "val" and "CIDEr-D" in scores:
        calibrate(folder, captioner, captions, scores["CIDEr-D"].per_image)
    return scores


def _warn_of_script(records: Sequence[Record], words: str, console: Console | None) -> None:
    if words == NAME and (found := unspaced(text for record in records for text in record.references)):
        say(console, f"{found}: a whole caption counts as one word; score them with evaluate.words=characters")


def _name(run: Path | Captioner) -> str:
    return run.name if isinstance(run, Captioner) else str(run)


def _captioner(run: Path | Captioner, asked: Mapping[str, str], out: Path | None) -> Captioner:
    """The captioner to score. All errors in the request are raised before it is loaded."""
    for key, item in asked.items():
        if not {key, key.partition(".")[0]} & {*OPEN, *MACHINE}:
            raise RecipeError(
                f"{item} cannot be changed here",
                takes=[*OPEN, *MACHINE],
                taker="evaluate changes only",
                near=nearest_option(key, ["decode", "evaluate"]) if "." not in key else None,
                advice="the weights were trained with the other options",
            )
    if out is not None:
        check_folder(out, "--out")
    if isinstance(run, Captioner):
        if out is None:
            raise InputError("a captioner has no folder for its scores; give out=FOLDER")
        return run
    if out is None and not run.is_dir():
        takes = "a run folder of `showtell train`; with --out FOLDER also any model that `showtell caption` takes"
        raise InputError("is no folder", key=str(run), takes=takes, taker="evaluate takes")
    if out is None:
        check_folder(run, "the run", "give --out FOLDER")
        if not (run / checkpoint.RECIPE).is_file() and (run / CONFIG).is_file():
            raise InputError("is a model that others trained, not a run", key=str(run), advice="give --out FOLDER")
    moved = [item for key, item in asked.items() if key in PLACES]
    return load_folder(run, moved) if run.is_dir() else load(run, moved)


def _captioned(recipe: Recipe, console: Console | None) -> tuple[list[Record], str]:
    """The photos with captions, and the format that `data.name=auto` detected."""
    if "data" not in recipe:
        raise InputError("this captioner has no data; name the photos to score it on, for example data.root=DIR")
    data = build(recipe, "data")
    if console is not None:
        for line in notes(data):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return [record for record in data if record.references], getattr(data, "form", "")


def _of_split(everything: Sequence[Record], split: str) -> list[Record]:
    records = [record for record in everything if record.split == split]
    if not records:
        splits = ", ".join(sorted({record.split for record in everything})) or "no split"
        raise InputError(key="--split", value=split, takes=splits, taker="there are captioned photos in")
    return records


def _folder(out: Path, recipe: Recipe) -> Path:
    """Make the folder `out` and write the recipe into it. Raises InputError if it is a run folder."""
    if (out / checkpoint.MODEL).exists() or (out / "members").exists():
        raise InputError(f"--out {out} is a run folder; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.write_recipe(out, recipe)
    return out


def _training(own: Recipe, recipe: Recipe, given: Sequence[Record], console: Console | None) -> list[str]:
    """The captions that the weights were trained on; if they are not here, the training captions of `given`."""
    records, here = given, True
    if own.get("data", recipe["data"]) != recipe["data"]:
        try:
            check_drawn(own["data"])
            records = build(own, "data")
        except (ShowtellError, OSError):
            here = False
    captions = [text for record in records if record.split == "train" for text in record.references]
    if captions and not here and console is not None:
        note = "the run's own data is not here: `copied` compares with the training captions of the data given now"
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    return captions


def _place(captioner: Captioner, recipe: Recipe, asked: bool, console: Console | None) -> None:
    """Move to the recipe's device. If this machine lacks it, choose another, unless the user `asked` for this one."""
    name = recipe["train"]["device"]
    try:
        captioner.to(device_of(name))
    except InputError:
        if asked:
            raise
        captioner.to(device_of("auto"))
        if console is not None:
            note = f"this machine has no {name} (the run's train.device): scoring on {captioner.device}"
            console.print(note, markup=False, highlight=False, soft_wrap=True)


def protocol(captioner: Captioner, recipe: Recipe, split: str, form: str = "") -> dict[str, str]:
    """What a signature says besides the metric's settings. `form` begins with the format that `auto` detected."""
    chose = f" (chose the epoch by {captioner.chosen_by})" if split == "val" and captioner.chosen_by else ""
    return {
        "data": form.partition(":")[0] or recipe["data"]["name"],
        "split": split + chose,
        "decode": captioner.manner,
        "seed": str(recipe["train"]["seed"]),
    }
