"""A recipe -> a run folder with a trained captioner. A run that is killed and resumed ends with the same weights."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell.checkpoint import MODEL, RECIPE
from showtell.plumbing.console import Plain
from showtell.plumbing.device import denormals_flushed, give_back_memory
from showtell.plumbing.errors import Interrupted
from showtell.plumbing.files import check_writable, sweep
from showtell.plumbing.interrupt import stop_signal
from showtell.plumbing.lock import NAME, Lock
from showtell.plumbing.messages import say
from showtell.plumbing.origin import MADE
from showtell.plumbing.progress import Bar
from showtell.recipe.check import check
from showtell.recipe.rules import trains
from showtell.settings.text import Recipe
from showtell.training.job import Job
from showtell.training.log import FILES, LINES, Log, NoLog, complete_csv
from showtell.training.processes import joined
from showtell.training.remember import remember
from showtell.training.resume import Checkpoint, check_processes, claim, hold, open_run
from showtell.training.setup import set_up, with_metric

LOG_EVERY = 20  # steps
AfterEpoch = Callable[[Job, dict[str, Any]], None]


def train(
    recipe: Recipe,
    run: str | Path,
    resume: bool = False,
    console: Console | None = None,
    after_epoch: AfterEpoch = lambda job, row: None,
    other_world: bool = False,
) -> Path:
    """Train a recipe into the folder `run`, or resume it, as `showtell train` does. Returns the folder.

    `recipe` comes from `showtell.load_recipe`, or is nested dicts of your own. Progress and notes go to `console`, by
    default to stderr. Training may be killed at any moment: with `resume=True` it continues from the last checkpoint,
    and ends with the same weights.

    `after_epoch` is called after each epoch with the job and the log's row, for example to export the weights or to
    print the scores.

    In processes that torchrun started, each learns from its share of every batch; the first one alone writes, prints
    and calls `after_epoch`. `other_world` allows another number of processes to resume a run.

    Raises RecipeError if the recipe is not allowed; InputError if `run` exists and `resume` is False, if there is
    nothing to resume, if data is missing, or if the folder cannot be written; Interrupted after Ctrl-C.
    """
    run = Path(run)
    recipe = check(recipe)
    check_writable({"--run": str(run), **recipe})
    with joined() as world, Lock(run) as lock:
        console = console or Plain(stderr=True)
        console = console if world.main else Plain(quiet=True)
        if world.main and ((run / RECIPE).exists() or (run / NAME).exists()):  # before reading data takes minutes
            hold(run, lock)
        if not trains(recipe):
            return remember(recipe, run, resume, console, lock) if world.main else run
        recipe = world.from_main(with_metric(recipe, console) if world.main else None)
        saved = world.main_first(partial(open_run, recipe, run, resume, partial(say, console)))
        if saved is not None and saved.where.finished and not _asks_for_more(recipe, saved):
            if world.main:
                _sweep(run)  # it may have been killed while it wrote its last file
            if (run / LINES).is_file():
                complete_csv(run)
            say(console, f"{run} finished at step {saved.where.step}: there is nothing to resume")
            return run
        if saved is not None:
            check_processes(saved, world.size, run, other_world)
        job = set_up(recipe, run, saved is not None, console, world)
        if world.main:
            claim(run, lock)
        _learn(job, saved, console, after_epoch if world.main else lambda job, row: None)
    return run


def _asks_for_more(recipe: Recipe, saved: Checkpoint) -> bool:
    """Whether a finished run has epochs and steps left by this recipe, which may have more than the run's own."""
    limits = ((saved.where.epoch, recipe["train"]["epochs"]), (saved.where.step, recipe["train"]["max_steps"]))
    patience = recipe["train"]["patience"]
    patient = patience is None or saved.where.stale < patience
    return patient and all(limit is None or reached < limit for reached, limit in limits)


def _sweep(run: Path) -> None:
    sweep(run, (*FILES, MODEL, RECIPE, MADE))


def _learn(job: Job, saved: Checkpoint | None, console: Console, after_epoch: AfterEpoch) -> None:
    if job.world.main:
        _sweep(job.run)
    # Before begin(), which writes the first checkpoint, so that Ctrl-C cannot break it.
    with stop_signal(echoes=job.world.size > 1) as stop:
        if saved is None:
            job.begin()
        else:
            job.go_on(saved)
            say(console, f"resuming {job.run} at step {job.where.step}")
        _steps(job, _log(job, saved is not None), console, stop, after_epoch)


def _log(job: Job, resumed: bool) -> Log | NoLog:
    if not job.world.main:
        return NoLog()
    settings, step = job.settings, job.where.step if resumed else None
    return Log(job.run, tensorboard=settings.tensorboard, wandb=settings.wandb, resumed_at=step)


def _steps(job: Job, log: Log | NoLog, console: Console, stop: list[int], after_epoch: AfterEpoch) -> None:
    """Make steps until the job is over, or Ctrl-C fills `stop`; then write a checkpoint and the log."""
    where = job.where
    with denormals_flushed(), Bar(console, "training", job.total, "step") as bar:
        bar.advance(where.step)
        while not job.over:
            started = time.perf_counter()
            row = job.step()
            if job.epoch_ended or job.over:
                row |= job.validate()
            where.seconds += time.perf_counter() - started
            row["seconds"] = round(where.seconds, 2)
            bar.advance(1, **job.shown(row))
            if where.step % LOG_EVERY == 0 or job.epoch_ended or job.over:
                log.write(row)
                give_back_memory()
            job.keep()
            where.finished = job.over
            stopping = job.world.sum(len(stop)) != [0]  # a signal may reach the processes at different steps
            if where.step % job.settings.save_every == 0 or job.over or stopping:
                job.save()
                log.write_csv()
            if job.epoch_ended or job.over:
                after_epoch(job, row)
            if stopping and not job.over:
                log.close()
                raise Interrupted(f"stopped at step {where.step}; continue {job.run} with --resume")
    log.close()
