"""A recipe -> a run folder with a trained captioner. Killed anywhere and resumed, it ends the same."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from showtell.cache import Source, open_augmented, open_source
from showtell.captioners.views import encoder_of_views
from showtell.data import Record, notes
from showtell.encoders import Encoder
from showtell.losses.reward import check_reward
from showtell.plumbing.device import denormals_flushed, device_of
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.interrupt import stop_signal
from showtell.plumbing.progress import Bar
from showtell.recipe.build import build, build_encoder, build_neural
from showtell.recipe.fixed import Train
from showtell.recipe.rules import trains
from showtell.recipe.tables import options
from showtell.recipe.unused import unused
from showtell.regions.precomputed import Precomputed
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer
from showtell.training.job import Job, check_attention, start_with
from showtell.training.log import Log, check_extras
from showtell.training.remember import remember
from showtell.training.resume import differences, open_run, start_folder
from showtell.training.teacher import Teacher
from showtell.training.validation import check_clip, chooser, clip_of

LOG_EVERY = 20  # steps


def train(recipe: Recipe, run: Path, resume: bool = False, console: Console | None = None) -> Path:
    """Train a checked recipe into the folder `run`, or go on with it.

    Raises InputError where `run` exists and `resume` is False, and Interrupted after Ctrl-C.
    """
    console = console or Console(stderr=True)
    if not trains(recipe):
        return remember(recipe, run, resume, console, partial(_say, console))
    select = chooser(recipe["train"]["select"], partial(_say, console))
    recipe = recipe | {"train": recipe["train"] | {"select": select}}
    settings = Train(**options(recipe, "train"))
    saved = open_run(recipe, run, resume, partial(_say, console))
    if saved is not None and saved.where.finished:
        _say(console, f"{run} is finished at step {saved.where.step}: nothing to resume")
        return run
    check_extras(settings.tensorboard, settings.wandb)
    check_clip(recipe)
    if settings.loss == "self_critical":
        check_reward(settings.reward, clip_of(recipe, torch.device("cpu")))
    torch.manual_seed(settings.seed)
    device = device_of(settings.device)
    encoder = build_encoder(recipe).to(device)
    encoder_of_views(encoder, recipe["captioner"]["views"])  # for its error
    for line in unused(settings, encoder.trains):
        _say(console, line)
    teacher = Teacher(settings.teacher, recipe, encoder, device) if settings.teacher is not None else None
    records = _records(recipe, console)
    tokenizer = _tokenizer(recipe, run if saved is not None else None, teacher, records)
    captioner = build_neural(recipe, encoder, tokenizer).to(device)
    check_attention(captioner, settings)
    captioner.check_decoding()
    if teacher is not None:
        teacher.check_words(tokenizer)
    if saved is None and settings.start is not None:
        if changed := differences(settings.start, recipe).values():
            _say(console, f"train.start={settings.start}: its {', '.join(changed)}")
        start_with(captioner, settings.start)  # for its error: `begin`, which looks at features first, does it again
    training, validation = _sources(recipe, records, encoder, teacher, console)
    job = Job(captioner, settings, training, validation, run, teacher)
    job.check_lengths()
    with stop_signal() as stop:  # before the first checkpoint, which begin() writes: from then on the run can go on
        if saved is None:
            job.begin()
        else:
            job.go_on(saved)
            _say(console, f"going on with {run} at step {job.where.step}")
        resumed_at = None if saved is None else job.where.step
        log = Log(run, tensorboard=settings.tensorboard, wandb=settings.wandb, resumed_at=resumed_at)
        _steps(job, log, console, stop)
    return run


def _steps(job: Job, log: Log, console: Console, stop: list[int]) -> None:
    """Step until the job is over or `stop` has something; then a checkpoint and the log are written."""
    where = job.where
    with denormals_flushed(), Bar(console, "training", job.total, "step") as bar:
        bar.advance(where.step)
        while not job.over:
            started = time.perf_counter()
            row = job.step()
            if job.epoch_ended or job.over:
                row |= job.validate()
            where.seconds += time.perf_counter() - started
            bar.advance(1, **job.shown(row))
            if where.step % LOG_EVERY == 0 or job.epoch_ended or job.over:
                log.write(row)
            where.finished = job.over
            if where.step % job.settings.save_every == 0 or job.over or stop:
                job.save()
                log.write_csv()
            if stop and not job.over:
                log.close()
                raise Interrupted(f"stopped at step {where.step}; {job.run} can go on with --resume")
    log.close()


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)  # a folder may be called [a] or 200 letters long


def _tokenizer(recipe: Recipe, run: Path | None, teacher: Teacher | None, records: Sequence[Record]) -> Tokenizer:
    """That of the run that goes on, or that training begins with, or of the teacher; else learnt from the captions."""
    start = recipe["train"]["start"]
    if run is not None or start is not None:
        # The weights know the ids of the tokenizer that they were begun with, whatever is installed by now.
        folder = run if run is not None else start_folder(start, recipe)
        loaded: Tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
        return loaded
    if teacher is not None:
        return teacher.tokenizer
    captions = [text for record in records if record.split == "train" for text in record.references]
    learnt: Tokenizer = build(recipe, "tokenizer").fit(captions)
    return learnt


def _records(recipe: Recipe, console: Console) -> Sequence[Record]:
    """The data as its files list it, and what people should know of it."""
    records: Sequence[Record] = build(recipe, "data")
    for line in notes(records):
        _say(console, line)
    captioned = {record.split for record in records if record.references}
    if "train" not in captioned:
        raise InputError(f"data.name={recipe['data']['name']} has no captioned training photos; train needs some")
    if "val" not in captioned:
        _say(console, "no captioned validation photos: the last weights count as the best")
    return records


def _sources(
    recipe: Recipe, records: Sequence[Record], encoder: Encoder, teacher: Teacher | None, console: Console
) -> tuple[Source, Source | None]:
    """The captioned photos to train and to validate on; what is left out is decided and said here, before any step."""
    splits = {name: [r for r in records if r.references and r.split == name] for name in ("train", "val")}
    seen_by = encoder if teacher is None else teacher.beside(encoder)
    training = open_augmented(splits["train"], seen_by, recipe["train"]["augment"], console)
    validation = open_source(splits["val"], encoder, console=console, what="validation photo")
    unread_photos = () if isinstance(encoder, Precomputed) else (*training.left_out, *validation.left_out)
    if getattr(records, "left_out", ()) or unread_photos:
        _say(console, f"`showtell doctor {recipe['data'].get('root') or 'RECIPE'}` lists them")
    return training, validation if validation.records else None
