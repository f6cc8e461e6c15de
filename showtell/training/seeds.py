"""One recipe, several seeds -> runs side by side, and a table of their mean and deviation.

Each run is a process of its own: `showtell train RECIPE train.seed=2 --run R-2`. So a run that fails costs only itself,
and with GPUs each run has one. Runs share nothing but the feature cache.
"""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from showtell.checkpoint import STATE
from showtell.plumbing import ranks
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.files import check_folder
from showtell.plumbing.interrupt import stop_signal
from showtell.plumbing.messages import count, say
from showtell.plumbing.reading import read_json, read_text
from showtell.recipe.check import check
from showtell.recipe.rules import trains
from showtell.settings.text import load_recipe
from showtell.training.log import read_log
from showtell.training.resume import may_begin

LOOK = 0.2  # seconds between looks at the runs
NO_METRICS = {"step", "epoch", "loss", "lr", "reward", "captions_per_second", "seconds", "event"}
END = 2**32  # seeds are below it, as for numpy
SEED = re.compile("[0-9]{1,10}")


@dataclass
class Run:
    """One seed: its folder, the file with its messages, and its process while it runs."""

    seed: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None
    slot: int = 0  # of the jobs that run at the same time; it chooses the GPU
    asked: bool = False  # whether it was asked to stop

    @property
    def messages(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")


def train_seeds(
    recipe: str,
    overrides: Sequence[str],
    run: Path,
    seeds: str,
    jobs: int | None,
    resume: bool,
    console: Console,
    out: Console,
) -> None:
    """Train RUN-SEED for each of `seeds`, at most `jobs` at the same time, and print the table to `out`.

    Raises InputError before the first run if the recipe is wrong, or a run exists and `resume` is False; and at the
    end if a run failed.
    """
    _check(recipe, overrides)
    runs = [Run(seed, run.with_name(f"{run.name}-{seed}")) for seed in _numbers(seeds)]
    _check_folders(runs, resume)
    gpus = _gpus(check(load_recipe(recipe, overrides))["train"]["device"])
    failed = _train_all(runs, [recipe, *overrides], jobs or len(gpus) or 1, gpus, console)
    rows = {each.seed: best for each in runs if each not in failed and (best := best_row(each.folder))}
    if rows:
        out.print(table(rows))
    if failed:
        names = ", ".join(str(each.seed) for each in failed)
        advice = f"see {failed[0].messages}, then repeat the command with --resume"
        raise InputError(f"{len(failed)} of {count(len(runs), 'seed')} failed: {names}", advice=advice)


def _check(recipe: str, overrides: Sequence[str]) -> None:
    """Raise an error that every run would have."""
    if ranks.size() > 1:
        raise InputError("starts processes itself", key="--seeds", advice="run it without torchrun")
    checked = check(load_recipe(recipe, overrides))
    if given := [each for each in overrides if each.startswith("train.seed=")]:
        raise InputError(f"and {given[0]} exclude each other", key="--seeds", advice="leave out train.seed")
    if not trains(checked):
        name = checked["captioner"]["name"]
        raise InputError(f"captioner {name!r} makes no training steps, so there is nothing to draw", key="--seeds:")


def _numbers(seeds: str) -> list[int]:
    """
    >>> _numbers("1,2,3")
    [1, 2, 3]
    """
    words = [word.strip() for word in seeds.split(",")]
    numbers = [int(word) for word in words if SEED.fullmatch(word)]  # int() refuses a number of 5,000 digits
    if len(set(numbers)) < len(words) or max(numbers) >= END:
        takes = f"different whole numbers below {END:,} with commas between, for example 1,2,3"
        raise InputError(key="--seeds", value=seeds, takes=takes)
    return numbers


def _check_folders(runs: Sequence[Run], resume: bool) -> None:
    for each in runs:
        if not each.folder.exists():
            check_folder(each.folder, "--run")
        elif not each.folder.is_dir():
            raise InputError("is a file", key=str(each.folder), advice="choose another name with --run")
        elif not resume and not may_begin(each.folder):
            advice = "continue all with --resume, or choose another name with --run"
            raise InputError("exists", key=str(each.folder), advice=advice)
    runs[0].folder.parent.mkdir(parents=True, exist_ok=True)


def _gpus(device: str) -> list[str]:
    """The names of the GPUs that runs can use, as CUDA_VISIBLE_DEVICES takes them."""
    if device not in ("auto", "cuda"):
        return []
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible or [str(number) for number in range(torch.cuda.device_count())]


def _train_all(runs: Sequence[Run], words: list[str], jobs: int, gpus: list[str], console: Console) -> list[Run]:
    """Train all runs. Returns those that failed. Raises Interrupted after Ctrl-C, when all of them have stopped."""
    waiting, running, failed = deque(runs), list[Run](), list[Run]()
    with stop_signal() as stop:
        try:
            while running or (waiting and not stop):
                while waiting and len(running) < jobs and not stop:
                    free = min({*range(jobs)} - {each.slot for each in running})
                    running.append(_start(waiting.popleft(), words, free, jobs, gpus, console))
                time.sleep(LOOK)
                if stop:
                    _stop(running)
                for each in [each for each in running if _ended(each)]:
                    running.remove(each)
                    if not _report(each, console):
                        failed.append(each)
        finally:  # after a second Ctrl-C, or an error of ours
            _stop(running, again=True)
    if stop:
        raise Interrupted("stopped; continue all seeds with --resume")
    return failed


def _start(run: Run, words: list[str], slot: int, jobs: int, gpus: list[str], console: Console) -> Run:
    more = ["--resume"] if run.folder.exists() and not may_begin(run.folder) else []
    options = [f"train.seed={run.seed}", "--run", str(run.folder), *more]
    own = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))} | dict(os.environ)
    if gpus:
        own["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    with run.messages.open("ab") as messages:
        run.process = subprocess.Popen(
            [sys.executable, "-m", "showtell", "train", *words, *options],
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            env=own,
            start_new_session=True,  # a Ctrl-C reaches this process alone, which passes it on once
        )
    run.slot = slot
    say(console, f"seed {run.seed}: {'resuming' if more else 'training'} {run.folder}; messages in {run.messages}")
    return run


def _stop(runs: Sequence[Run], again: bool = False) -> None:
    """Ask runs to write a checkpoint and end; `again`, those that were asked end at once."""
    for each in runs:
        if each.process is not None and (again or not each.asked):
            each.process.terminate()
            each.asked = True
    if again:
        for each in runs:
            if each.process is not None:
                each.process.wait()


def _ended(run: Run) -> bool:
    return run.process is not None and run.process.poll() is not None


def _report(run: Run, console: Console) -> bool:
    """Report how a run ended. Returns whether it has finished its recipe."""
    assert run.process is not None
    code = run.process.returncode
    if code == 0:
        best = best_row(run.folder)
        shown = f"; best at step {best['step']}" if best else ""
        say(console, f"seed {run.seed}: finished{shown}")
    else:
        lines = read_text(run.messages).splitlines()
        last = lines[-1] if lines else "it printed nothing"
        say(console, f"seed {run.seed}: {'killed by signal' if code < 0 else 'ended with'} {abs(code)}: {last}")
    return code == 0


def best_row(run: Path) -> dict[str, Any]:
    """The log's row of the validation that chose the weights; empty if there was none."""
    step = read_json(run / "last" / STATE).get("best_step")
    rows = [row for row in read_log(run) if row.get("step") == step and "val_loss" in row]
    return rows[-1] if rows else {}


def table(rows: dict[int, dict[str, Any]]) -> Table:
    """Metrics by seed, with their mean and sample deviation: values 1, 2 and 3 have 2 and 1."""
    best = list(rows.values())
    names = [name for name in best[0] if name not in NO_METRICS and all(name in row for row in best)]
    seeds = [f"seed {seed}" for seed in rows]
    made = Table("validation", *seeds, "mean", "deviation", title="the best step of each seed, on validation")
    for column in made.columns[1:]:
        column.justify = "right"
    for name in names:
        values = [float(row[name]) for row in best]
        spread = f"{stdev(values):.4f}" if len(values) > 1 else "-"
        made.add_row(name, *(f"{value:.4f}" for value in values), f"{mean(values):.4f}", spread)
    return made
