"""A run folder and a recipe -> what training goes on from, or why it may not; nothing is written here.

A run has a checkpoint before its first step. So a folder without one was killed before that, and holds nothing worth
keeping; or it has a model, or files of somebody else, and is never trained over.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from showtell import checkpoint
from showtell.cache import Source
from showtell.encoders.frozen import digest
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import check_folder
from showtell.plumbing.lock import NAME, Lock
from showtell.recipe.check import check
from showtell.settings.text import Recipe, same
from showtell.training.log import FILES

UNAVERAGED = "unaveraged"  # the weights that training goes on from, where RUN/last/model is their average
MACHINE = ("train.device", "train.precision")  # may be others where a run goes on, or is scored, elsewhere
# What may be another in a later stage of training: how much is learned or dropped out, the size of photos, how many
# regions are seen, and where files lie. All else says what the weights mean.
STAGED = {"trainable", "dropout", "feature_dropout", "initialisation", "weights", "image_size", "grid_size", "resize"}
STAGED |= {"file", "boxes", "count", "min_score"}

# What a training may leave that is killed before its first checkpoint.
BEGUN = (checkpoint.RECIPE, "tokenizer.*", "neighbours.json", *FILES, NAME, f"{checkpoint.PART}*", ".*.part")

Natural = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass
class Where:
    """How far training has come: everything of it that is not a tensor."""

    step: Natural = 0
    epoch: Natural = 0  # finished ones
    step_in_epoch: Natural = 0
    best: Finite | None = None
    best_step: Natural = 0
    stale: Natural = 0  # validations since the best
    seconds: Annotated[Finite, Field(ge=0)] = 0.0
    finished: bool = False
    data: dict[str, str] = field(default_factory=dict)  # digests of what it learns from, by what that is


class Checkpoint(NamedTuple):
    """The tensors of `RUN/last` by file and name, and how far they had come."""

    tensors: dict[str, dict[str, Tensor]]
    where: Where


def open_run(recipe: Recipe, run: Path, resume: bool, say: Callable[[str], None]) -> Checkpoint | None:
    """What to go on from, or None for a fresh start."""
    if not run.exists():
        check_folder(run, "--run")
        if resume:
            raise InputError(f"{run} does not exist, so there is nothing to resume; leave --resume out to begin it")
        return None
    if not run.is_dir():
        raise InputError(f"{run} is a file; name a folder with --run")
    if not resume:
        if not _may_begin(run):
            raise InputError(f"{run} exists; go on with --resume, or name another folder with --run")
        if any(run.iterdir()):
            say(f"{run} was stopped before its first checkpoint: starting anew")
        return None
    saved = checkpoint.read_training(run)
    if saved is None:
        if (run / checkpoint.MODEL).exists():
            raise InputError(f"{run} holds a trained model and no checkpoint to go on from; name another with --run")
        begin = "leave --resume out to begin it" if _may_begin(run) else "name a run with --run"
        raise InputError(f"{run} has no checkpoint, so there is nothing to resume; {begin}")
    check_same(recipe, run)
    _check_whole(recipe, run, saved[0])
    where = _where(run / "last" / "state.json", saved[1])
    _check_reached(recipe["train"], run / "last" / "state.json", where)
    return Checkpoint(saved[0], where)


def _may_begin(run: Path) -> bool:
    """Whether a folder holds only what a training leaves that is killed before its first checkpoint, or nothing."""
    return all(any(fnmatchcase(path.name, name) for name in BEGUN) for path in run.iterdir())


def digests(sources: Sequence[Source], words: Sequence[Any], given: Mapping[str, Tensor]) -> dict[str, str]:
    """What a run learns from and is validated on: going on with anything else is another training.

    `words` are the ids of the training captions, `given` the weights that a run does not save.
    """
    captions = [[(record.image_id, record.references) for record in source.records] for source in sources]
    found = {
        "captions": captions,
        "photos or their features": [source.content for source in sources],
        "words that the tokenizer makes of captions": words,
    }
    named = {name: blake2b(repr(value).encode(), digest_size=16).hexdigest() for name, value in found.items()}
    return named | {"weights of its pretrained parts": digest((), given)}


def hold(run: Path, lock: Lock) -> None:
    """Take the lock; the folder is made, if need be. Raises InputError if another process has it."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock.take()
    except OSError as error:
        raise InputError(f"{run} cannot hold a run: {error.strerror}; name another with --run") from None


def claim(run: Path, lock: Lock) -> None:
    """Hold the folder for what is written now. Raises InputError if another training made a run there meanwhile."""
    if lock.taken:
        return
    hold(run, lock)
    if (run / checkpoint.RECIPE).exists():
        raise InputError(f"{run} exists by now; go on with --resume, or name another folder with --run")


def check_same(recipe: Recipe, run: Path) -> None:
    old = check(checkpoint.read_recipe(run))
    for section, values in recipe.items():
        for key in values | old[section]:
            before, now = old[section].get(key), values.get(key)
            if f"{section}.{key}" not in MACHINE and not same(before, now):
                raise InputError(f"{run} was trained with {section}.{key}={before}, not {now}; resume with the same")


def _check_whole(recipe: Recipe, run: Path, tensors: dict[str, dict[str, Tensor]]) -> None:
    averaged = [UNAVERAGED] if recipe["train"]["ema"] else []
    for name in ["model", "optimizer", "random", *averaged]:
        if name not in tensors:
            raise InputError(f"{run / 'last'} is damaged: it has no {name}.safetensors")


def _check_reached(train: Mapping[str, Any], path: Path, where: Where) -> None:
    """InputError for a step that the recipe's training does not have, or an end that it has not come to."""
    limits = [("epoch", where.epoch, train["epochs"]), ("step", where.step, train["max_steps"])]
    for name, reached, limit in limits:
        if limit is not None and reached > limit:
            raise InputError(f"{path} is damaged: it says {name} {reached}, and the recipe ends at {limit}")
    if where.step < where.epoch or where.step_in_epoch > where.step or where.best_step > where.step:
        raise InputError(f"{path} is damaged: its steps and epochs do not fit together")
    ended = [limit is not None and reached >= limit for _, reached, limit in limits]
    patient = train["patience"] is None or where.stale < train["patience"]
    if where.finished and not any(ended) and patient:
        raise InputError(f"{path} is damaged: it says that training is finished, at step {where.step}")


def _where(path: Path, state: Any) -> Where:
    names = [each.name for each in fields(Where)]
    if not isinstance(state, dict):
        raise InputError(f"{path} is damaged: it holds no object")
    if wrong := [name for name in names if name not in state]:
        raise InputError(f"{path} is damaged: it has no {wrong[0]!r}")
    if wrong := [name for name in state if name not in names]:
        raise InputError(f"{path} is damaged, or of another version: {wrong[0]!r} is not known")
    try:
        return TypeAdapter(Where).validate_json(json.dumps(state), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{path} is damaged: {problem['loc'][0]} is {problem['input']!r}") from None


def start_folder(start: str | None, recipe: Recipe) -> Path:
    """The run that training begins with: it must have a model, and words of the same kind."""
    folder = Path(start or "").expanduser()
    if not (folder / checkpoint.MODEL).is_file():
        raise InputError(f"train.start={start}: no run with a {checkpoint.MODEL}; it takes the folder of a trained run")
    old = check(checkpoint.read_recipe(folder))
    for section in ("captioner", "encoder", "regions", "decoder", "tokenizer"):
        before, now = old[section]["name"], recipe[section]["name"]
        if before != now:
            raise InputError(f"train.start={start}: its {section} is {before}, not {now}; begin with the same")
    for key, now in recipe["tokenizer"].items():  # the words are those of its tokenizer, and the recipe must say so
        if (before := old["tokenizer"][key]) != now:
            raise InputError(f"train.start={start}: its tokenizer.{key} is {before}, not {now}; begin with the same")
    if wrong := [how for key, how in differences(str(folder), recipe).items() if key.partition(".")[2] not in STAGED]:
        raise InputError(f"train.start={start}: its {', '.join(wrong)}; begin with the same")
    return folder


def differences(start: str, recipe: Recipe) -> dict[str, str]:
    """The options of what sees and speaks in which the run that training begins with differs, and how, by name."""
    old = check(checkpoint.read_recipe(Path(start).expanduser()))
    return {
        f"{section}.{key}": f"{section}.{key} is {old[section].get(key)}, not {now}"
        for section in ("encoder", "regions", "decoder")
        for key, now in recipe[section].items()
        if not same(_network(old[section].get(key)), _network(now))
    }


def _network(value: Any) -> Any:
    """Of an encoder's parts what tells which networks they are."""
    if isinstance(value, list):
        return [_network(each) for each in value]
    return {k: v for k, v in value.items() if k not in STAGED} if isinstance(value, dict) else value
