"""A run and a split -> `scores-<split>.json` and `captions-<split>.json`; every number says how it came about."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from showtell import checkpoint
from showtell.cache import open_source
from showtell.captioners import Captioner
from showtell.captioners.views import encoder_of_views
from showtell.clip import Clip
from showtell.data import Record, notes
from showtell.loading import PLACES, load, load_folder, steer
from showtell.metrics.names import select
from showtell.metrics.score import Scores, check_ready, score, to_json
from showtell.plumbing.device import autocast, device_of
from showtell.plumbing.errors import InputError, RecipeError, ShowtellError
from showtell.plumbing.files import check_folder, write_json
from showtell.predict.captions import describe_all
from showtell.recipe.build import build
from showtell.recipe.fixed import Evaluate
from showtell.recipe.tables import options
from showtell.settings.text import Recipe
from showtell.training.resume import MACHINE

OPEN = ("data", "decode", "evaluate", "captioner.views", *PLACES)  # what scoring may change; the rest made the weights


def evaluate(
    run: Path,
    split: str = "val",
    overrides: Sequence[str] = (),
    console: Console | None = None,
    out: Path | None = None,
) -> Scores:
    """Caption every image of the split with the run's best weights, and score the captions.

    What is found goes into the run, or into the folder `out` with the recipe as overridden, which `compare` takes too;
    then `run` may also be the name of a packaged model or an id of the Hub.
    Raises InputError where the split has no captioned images, RecipeError for an override of what made the weights.
    """
    asked = {item.partition("=")[0]: item for item in overrides}
    for key, item in asked.items():
        if not {key, key.partition(".")[0]} & {*OPEN, *MACHINE}:
            changes = ", ".join([*OPEN, *MACHINE])
            raise RecipeError(f"{item}: evaluate changes {changes} alone; the rest made the weights")
    if out is None and not run.is_dir():
        raise InputError(
            f"{run} is no folder; evaluate takes the folder of a run that `showtell train` made, or with --out FOLDER "
            "any model that `showtell caption` takes"
        )
    if out is None:
        check_folder(run, "the run", "give --out FOLDER")
    else:
        check_folder(out, "--out")
    moved = [item for key, item in asked.items() if key in PLACES]
    captioner = load_folder(run, moved) if run.is_dir() else load(run, moved)
    recipe = steer(captioner, overrides)
    own = captioner.recipe or recipe
    _place(captioner, recipe, "train.device" in asked, console)
    folder = run if out is None else _folder(out, recipe)
    settings = Evaluate(**options(recipe, "evaluate"))
    clip = Clip(settings.clip, settings.clip_protocol, device=captioner.device, console=console)
    check_ready(settings.metrics, clip)
    data = build(recipe, "data")
    if console is not None:
        for line in notes(data):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    everything = [record for record in data if record.references]
    records = [record for record in everything if record.split == split]
    if not records:
        have = {record.split for record in everything}
        raise InputError(f"--split is {split!r}; captioned photos are there for {', '.join(sorted(have)) or 'none'}")
    training = _training(own, recipe, everything, console) if "copied" in select(settings.metrics) else []
    assert captioner.encoder is not None
    eyes = encoder_of_views(captioner.encoder, captioner.views)
    source = open_source(records, eyes, console=console, what=f"{split} photo")
    precision = recipe["train"]["precision"] if "train.precision" in asked else "fp32"
    with autocast(captioner.device, precision):
        found = describe_all(captioner, source, settings.batch_size, console)
    candidates = {image_id: caption.text for image_id, caption in found.items()}
    references = {record.image_id: list(record.references) for record in source.records}
    said = protocol(captioner, recipe, split, getattr(data, "form", ""))
    said |= {"precision": precision} if precision != "fp32" else {}
    photos = {record.image_id: record.path for record in source.records}
    scores = score(
        *(candidates, references, settings.metrics),
        training=training or None,
        photos=photos,
        clip=clip,
        protocol=said,
    )
    write_json(folder / f"captions-{split}.json", candidates)
    write_json(folder / f"scores-{split}.json", to_json(scores))
    return scores


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
    if own["data"] != recipe["data"]:
        try:
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
