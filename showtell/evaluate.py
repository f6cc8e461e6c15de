"""A run and a split -> `scores-<split>.json` and `captions-<split>.json`; every number says how it came about."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from showtell import checkpoint
from showtell.cache import open_source
from showtell.captioners import Captioner, load
from showtell.clip import DEFAULT, Clip, photos_of
from showtell.data import notes
from showtell.device import autocast, device_of
from showtell.errors import InputError, RecipeError
from showtell.metrics import METRICS, Scores, score, to_json
from showtell.metrics.clipscore import SEEING, make_ready
from showtell.metrics.files import read_candidates, read_frequencies, read_references, read_training
from showtell.metrics.names import chosen
from showtell.predict import describe_all
from showtell.recipe import Evaluate, build, check, options
from showtell.resume import MACHINE
from showtell.settings import override

OPEN = ("data", "decode", "evaluate")  # the sections that scoring may change; the others made the weights


def evaluate(run: Path, split: str = "val", overrides: Sequence[str] = (), console: Console | None = None) -> Scores:
    """Caption every image of the split with the run's best weights, and score the captions.

    Raises InputError where the split has no captioned images, RecipeError for an override of what made the weights.
    """
    asked = {item.partition("=")[0]: item for item in overrides}
    for key, item in asked.items():
        if key.partition(".")[0] not in OPEN and key not in MACHINE:
            changes = ", ".join([*OPEN, *MACHINE])
            raise RecipeError(f"{item}: evaluate changes {changes} alone; the rest made the weights")
    if not run.is_dir():
        raise InputError(f"{run} is no folder; evaluate takes the folder of a run that `showtell train` made")
    captioner = load(run)
    captioner.recipe = check(override(captioner.recipe, overrides))
    _place(captioner, "train.device" in asked, console)
    settings = Evaluate(**options(captioner.recipe, "evaluate"))
    clip = Clip(settings.clip, settings.clip_protocol, device=captioner.device, console=console)
    _check_names(settings.metrics, clip)
    data = build(captioner.recipe, "data")
    if console is not None:
        for line in notes(data):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    everything = [record for record in data if record.references]
    records = [record for record in everything if record.split == split]
    if not records:
        have = {record.split for record in everything}
        raise InputError(f"--split is {split!r}; captioned photos are there for {', '.join(sorted(have)) or 'none'}")
    source = open_source(records, captioner.encoder, console=console)
    precision = captioner.recipe["train"]["precision"] if "train.precision" in asked else "fp32"
    with autocast(captioner.device, precision):
        found = describe_all(captioner, source, settings.batch_size, console)
    candidates = {image_id: caption.text for image_id, caption in found.items()}
    references = {record.image_id: list(record.references) for record in source.records}
    said = protocol(captioner, split, getattr(data, "form", ""))
    said |= {"precision": precision} if precision != "fp32" else {}
    training = [text for record in everything if record.split == "train" for text in record.references]
    photos = {record.image_id: record.path for record in source.records}
    scores = score(
        *(candidates, references, settings.metrics),
        training=training or None,
        photos=photos,
        clip=clip,
        protocol=said,
    )
    write_json(run / f"captions-{split}.json", candidates)
    write_json(run / f"scores-{split}.json", to_json(scores))
    return scores


def _check_names(names: Sequence[str], clip: Clip) -> None:
    """A wrong name, or one whose metric cannot be had here, is said before anything is captioned."""
    asked = [name for name, by_name in chosen(names).items() if by_name]
    for name in asked:
        if reason := METRICS[name].missing(None):
            raise InputError(f"{name} {reason}")
    make_ready(asked, clip)


def _place(captioner: Captioner, asked: bool, console: Console | None) -> None:
    """Onto the recipe's device; where it is not there and nobody asked for it now, onto what this machine has."""
    name = captioner.recipe["train"]["device"]
    try:
        captioner.to(device_of(name))
    except InputError:
        if asked:
            raise
        captioner.to(device_of("auto"))
        if console is not None:
            said = f"the run's train.device={name} is not here: scoring on {captioner.device}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)


def score_files(
    candidates: Path,
    references: Path,
    metrics: Sequence[str] | None = None,
    console: Console | None = None,
    *,
    training: Path | None = None,
    frequencies: Path | None = None,
    photos: Path | None = None,
    clip: str = DEFAULT,
    clip_protocol: str = "paper",
) -> Scores:
    """Score two JSON files; references of images that have no candidate are left out, and said so.

    `training` has the captions that were learned from, `frequencies` those that tell how rare CIDEr's n-grams are.
    `photos` is the folder that metrics look into; candidates that have no photo there are an error then.
    """
    model = Clip(clip, clip_protocol, console=console)
    said = read_candidates(candidates)
    wanted = read_references(references, said)
    kept = {image_id: captions for image_id, captions in wanted.items() if image_id in said}
    if not kept:
        first, other = next(iter(said), "none"), next(iter(wanted), "none")
        raise InputError(f"{candidates} and {references} share no image_id (first: {first!r} and {other!r})")
    if console is not None and len(kept) < len(wanted):
        console.print(
            f"{len(wanted) - len(kept):,} of {len(wanted):,} images with references have no candidate: left out"
        )
    learned = read_training(training) if training else None
    corpus = read_frequencies(frequencies) if frequencies else None
    if photos is None:
        return score(said, kept, metrics, training=learned, frequencies_of=corpus)
    if not metrics or not set(SEEING) & set(chosen(metrics)):
        raise InputError(
            f"--photos {photos}: of the metrics asked for none looks at photos; add CLIPScore to --metrics"
        )
    _check_names(metrics, model)
    seen = photos_of(list(said), photos)
    model.embed_photos(list(seen.values()))  # one that cannot be read is told before anything is scored
    return score(said, kept, metrics, training=learned, frequencies_of=corpus, photos=seen, clip=model)


def protocol(captioner: Captioner, split: str, form: str = "") -> dict[str, str]:
    """What a signature says beside the metric's own settings; `form` begins with the format that `auto` found."""
    recipe = captioner.recipe
    chose = f" (chose the epoch by {captioner.chosen_by})" if split == "val" and captioner.chosen_by else ""
    return {
        "data": form.partition(":")[0] or recipe["data"]["name"],
        "split": split + chose,
        "decode": captioner.manner,
        "seed": str(recipe["train"]["seed"]),
    }


def write_json(path: Path, content: object) -> None:
    checkpoint.write_text(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
