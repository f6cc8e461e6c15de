"""A run folder and a recipe -> the checkpoint that training resumes from, or an error that says why it cannot.

A run writes a checkpoint before its first step. So a folder without one was killed before that and may be used again.
A folder with a model but no checkpoint, or with other people's files, is never overwritten.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field, TypeAdapter, ValidationError
from torch import Tensor

from showtell import checkpoint
from showtell.cache import Source
from showtell.encoders.frozen import digest
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home, check_folder
from showtell.plumbing.lock import NAME, Lock
from showtell.plumbing.messages import count
from showtell.plumbing.origin import MADE
from showtell.recipe.check import check
from showtell.settings.text import Recipe, same
from showtell.training.log import FILES

UNAVERAGED = "unaveraged"  # the weights that training resumes from; with train.ema, RUN/last/model is their average
GROWS = ("train.epochs", "train.max_steps")  # may become larger, unless the learning rate depends on them
MACHINE = ("train.device", "train.precision")  # may change if a run is resumed or scored on another machine
PLACES = ("root", "file", "images")  # of data, which may have moved: `digests` knows whether it is the same
# Options that may change in a later stage (train.start): what trains, dropout, the size of photos, the number of
# regions, paths of files. All other options decide what the weights mean.
STAGED = {"trainable", "dropout", "feature_dropout", "initialisation", "weights", "image_size", "grid_size", "resize"}
STAGED |= {"file", "boxes", "count", "min_score"}

# The files that a training may leave if it is killed before its first checkpoint.
BEGUN = (checkpoint.RECIPE, MADE, "tokenizer.*", "neighbours.json", *FILES, NAME, f"{checkpoint.PART}*", ".*.part")

Natural = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass
class Where:
    """The progress of a training: everything in a checkpoint that is not a tensor."""

    step: Natural = 0
    epoch: Natural = 0  # finished epochs
    step_in_epoch: Natural = 0
    best: Finite | None = None
    best_step: Natural = 0
    stale: Natural = 0  # validations since the best one
    lowered: Natural = 0  # plateaus so far
    seconds: Annotated[Finite, Field(ge=0)] = 0.0
    finished: bool = False
    processes: Annotated[int, Field(ge=1)] = 1  # that trained it together
    data: dict[str, str] = field(default_factory=dict)  # what the run learns from -> its digest, as `digests` gives


class Checkpoint(NamedTuple):
    """The tensors of `RUN/last` by file and name, and the progress when they were written."""

    tensors: dict[str, dict[str, Tensor]]
    where: Where


def open_run(recipe: Recipe, run: Path, resume: bool, say: Callable[[str], None]) -> Checkpoint | None:
    """The checkpoint to resume from, or None to start from the beginning. Raises InputError if neither is possible."""
    if not run.exists():
        check_folder(run, "--run")
        if resume:
            begin = "start it without --resume"
            raise InputError("does not exist, so there is nothing to resume", key=str(run), advice=begin)
        return None
    if not run.is_dir():
        raise InputError("is a file", key=str(run), advice="choose a folder with --run")
    if not resume:
        if not may_begin(run):
            advice = "continue it with --resume, or choose another folder with --run"
            raise InputError("exists", key=str(run), advice=advice)
        if any(run.iterdir()):
            say(f"{run} was stopped before its first checkpoint: starting again")
        return None
    saved = checkpoint.read_training(run)
    if saved is None:
        if (run / checkpoint.MODEL).exists():
            advice = "choose another folder with --run"
            raise InputError("holds a trained model, but no checkpoint to resume from", key=str(run), advice=advice)
        begin = "start it without --resume" if may_begin(run) else "give the folder of a run with --run"
        raise InputError("has no checkpoint, so there is nothing to resume", key=str(run), advice=begin)
    check_same(recipe, run)
    _check_whole(recipe, run, saved[0])
    where = _where(run / "last" / "state.json", {"lowered": 0, "processes": 1} | saved[1])
    old = check(checkpoint.read_recipe(run))["train"]
    _check_reached(old, run / "last" / "state.json", where)
    return Checkpoint(saved[0], where)


def check_processes(saved: Checkpoint, now: int, run: Path, other_world: bool) -> None:
    """Raise InputError if another number of processes resumes a run, unless the user allows it."""
    then = saved.where.processes
    if now != then and not other_world:
        raise InputError(
            f"was trained by {count(then, 'process', 'processes')}, not {now}, which would not end with the same bits",
            key=str(run),
            value=then,
            advice=f"start {then}, or allow it with --other-world",
        )


def restore_random(saved: Checkpoint, rank: int, seed: int, device: torch.device, source: str) -> None:
    """The random state of this process; a new one if the run had fewer processes."""
    name = random_name(rank)
    if rank < saved.where.processes:
        if name not in saved.tensors:
            raise InputError(f"{source} is damaged: it has no {name}.safetensors")
        checkpoint.restore_random(saved.tensors[name], device, source)
    else:
        torch.manual_seed(own_seed(seed, rank) + saved.where.step)


def random_name(rank: int) -> str:
    """The file of RUN/last that holds the random state of a process."""
    return f"random-{rank}" if rank else "random"


def own_seed(seed: int, rank: int) -> int:
    """Process 0 has the recipe's seed. The others have their own, so that their dropout differs."""
    return seed + (rank << 32)


def may_begin(run: Path) -> bool:
    """Whether a folder is empty, or holds only files of a training that was killed before its first checkpoint."""
    return all(any(fnmatchcase(path.name, name) for name in BEGUN) for path in run.iterdir())


def digests(sources: Sequence[Source], words: Sequence[Any], given: Mapping[str, Tensor]) -> dict[str, str]:
    """Digests of everything that a run learns from. If one of them has changed, the run cannot be resumed.

    `words` are the ids of the training captions; `given` are the weights that a run does not save.
    """
    captions = [[(record.image_id, record.references) for record in source.records] for source in sources]
    contents = {
        "captions": captions,
        "photos or their features": [source.content for source in sources],
        "words that the tokenizer makes of captions": words,
    }
    named = {name: blake2b(repr(value).encode(), digest_size=16).hexdigest() for name, value in contents.items()}
    return named | {"weights of its pretrained parts": digest((), given)}


def hold(run: Path, lock: Lock) -> None:
    """Make the run folder if it does not exist, and take its lock. Raises InputError if another process has it."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock.take()
    except OSError as error:
        advice = "choose another folder with --run"
        raise InputError(f"cannot hold a run: {error.strerror}", key=str(run), advice=advice) from None


def claim(run: Path, lock: Lock) -> None:
    """Take the lock before the first write. Raises InputError if another training made a run there meanwhile."""
    if lock.taken:
        return
    hold(run, lock)
    if (run / checkpoint.RECIPE).exists():
        advice = "continue it with --resume, or choose another folder with --run"
        raise InputError("was made by another training meanwhile", key=str(run), advice=advice)


def check_same(recipe: Recipe, run: Path) -> None:
    """Raise InputError unless the run was trained with the same recipe. Device, precision and places may differ.

    Epochs and steps may become more if nothing in the training depends on their total.
    """
    old = check(checkpoint.read_recipe(run))
    old["data"], recipe = _placeless(old["data"]), recipe | {"data": _placeless(recipe["data"])}
    grows = [] if _counts_down(recipe) else GROWS
    for section, values in recipe.items():
        for key in values | old[section]:
            before, now = old[section].get(key), values.get(key)
            more = f"{section}.{key}" in grows and before is not None and (now is None or now > before)
            if f"{section}.{key}" not in MACHINE and not more and not same(before, now):
                raise InputError(
                    f"was trained with {section}.{key}={before}, not {now}",
                    key=str(run),
                    value=before,
                    advice="resume with the old value",
                )


def _placeless(value: Any) -> Any:
    """A section `data` without the places of its photos and captions; a list holds places or sections."""
    if isinstance(value, list | tuple):
        return [None if isinstance(each, str) else _placeless(each) for each in value]
    if isinstance(value, dict):
        return {key: _placeless(each) for key, each in value.items() if key not in PLACES}
    return value


def _counts_down(recipe: Recipe) -> bool:
    """Whether the learning rate or the loss of a step depends on the total number of steps."""
    sampling = recipe.get("loss", {}).get("scheduled_sampling", "none")
    return recipe["train"].get("schedule") == "cosine" or sampling != "none"


def _check_whole(recipe: Recipe, run: Path, tensors: dict[str, dict[str, Tensor]]) -> None:
    averaged = [UNAVERAGED] if recipe["train"]["ema"] else []
    for name in ["model", "optimizer", "random", *averaged]:
        if name not in tensors:
            raise InputError(f"{run / 'last'} is damaged: it has no {name}.safetensors")


def _check_reached(train: Mapping[str, Any], path: Path, where: Where) -> None:
    """Raise InputError if the saved step is past the recipe's end, or is called finished before that end."""
    limits = [("epoch", where.epoch, train["epochs"]), ("step", where.step, train["max_steps"])]
    for name, reached, limit in limits:
        if limit is not None and reached > limit:
            raise InputError(f"{path} is damaged: it says {name} {reached}, but the recipe ends at {limit}")
    if where.step < where.epoch or where.step_in_epoch > where.step or where.best_step > where.step:
        raise InputError(f"{path} is damaged: its steps and epochs do not fit together")
    ended = [limit is not None and reached >= limit for _, reached, limit in limits]
    patient = train["patience"] is None or where.stale < train["patience"]
    if where.finished and not any(ended) and patient:
        raise InputError(
            f"{path} is damaged: it says that training finished at step {where.step}, which is before the recipe's end"
        )


def _where(path: Path, state: Any) -> Where:
    names = [each.name for each in fields(Where)]
    if not isinstance(state, dict):
        raise InputError(f"{path} is damaged: it holds no JSON object")
    if wrong := [name for name in names if name not in state]:
        raise InputError(f"{path} is damaged: it has no {wrong[0]!r}")
    if wrong := [name for name in state if name not in names]:
        raise InputError(f"{path} is damaged, or from another version of Showtell: {wrong[0]!r} is unknown")
    try:
        return TypeAdapter(Where).validate_json(json.dumps(state), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"{path} is damaged: {problem['loc'][0]} is {problem['input']!r}") from None


def start_folder(start: str | None, recipe: Recipe) -> Path:
    """The folder of the run `train.start`. Raises InputError if it has no model, or its recipe does not fit."""
    folder = at_home(start or "", "train.start")
    if not (folder / checkpoint.MODEL).is_file():
        raise InputError(
            f"is {start}, which has no {checkpoint.MODEL}",
            key="train.start",
            value=start,
            takes="the folder of a trained run",
        )
    old = check(checkpoint.read_recipe(folder))
    for section in ("captioner", "encoder", "regions", "decoder", "tokenizer"):
        before, now = old[section]["name"], recipe[section]["name"]
        if before != now:
            raise _does_not_fit(start, [f"{section} is {before}, not {now}"])
    for key, now in recipe[
        "tokenizer"
    ].items():  # training takes the tokenizer of `start`: the recipe must say the same
        if (before := old["tokenizer"][key]) != now:
            raise _does_not_fit(start, [f"tokenizer.{key} is {before}, not {now}"])
    if wrong := [how for key, how in differences(str(folder), recipe).items() if key.partition(".")[2] not in STAGED]:
        raise _does_not_fit(start, wrong)
    return folder


def _does_not_fit(start: str | None, wrong: Sequence[str]) -> InputError:
    advice = "set the old value in the recipe, or train without train.start"
    return InputError(f"is {start}, whose {'; '.join(wrong)}", key="train.start", value=start, advice=advice)


def differences(start: str, recipe: Recipe) -> dict[str, str]:
    """Option -> `option is OLD, not NEW`, for each option of encoder, regions and decoder that `recipe` changes."""
    old = check(checkpoint.read_recipe(at_home(start, "train.start")))
    return {
        f"{section}.{key}": f"{section}.{key} is {old[section].get(key)}, not {now}"
        for section in ("encoder", "regions", "decoder")
        for key, now in recipe[section].items()
        if not same(_network(old[section].get(key)), _network(now))
    }


def _network(value: Any) -> Any:
    """The value without the options that a later stage may change (STAGED), also inside an encoder's parts."""
    if isinstance(value, list):
        return [_network(each) for each in value]
    return {k: v for k, v in value.items() if k not in STAGED} if isinstance(value, dict) else value
