"""Runs -> run folders with scores: what is missing is made, one process a run; a kill at any moment costs little.

A finished run is skipped, a stopped one is resumed, one that was made by another recipe is an error and never touched.
"""

import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from benchmarks.results.plan import Run
from showtell import checkpoint
from showtell.errors import InputError
from showtell.recipe import check, trains

MACHINE = ("device", "precision")  # may differ from run to run
Say = Callable[[str], None]


def is_trained(run: Run) -> bool:
    """Whether the folder holds the finished run; InputError where another recipe made it."""
    if not (run.folder / checkpoint.RECIPE).is_file():
        return False
    made, wanted = check(checkpoint.read_recipe(run.folder)), run.checked
    for section in {**wanted, **made}:
        old, new = made.get(section, {}), wanted.get(section, {})
        for key in old | new:
            before, now = old.get(key), new.get(key)
            if before != now and not (section == "train" and key in MACHINE) and not _same_path(before, now):
                raise InputError(
                    f"{run.folder} was made with {section}.{key}={before}, and the plan says {now}; move it away, or "
                    "name another folder with --runs"
                )
    return bool(state_of(run).get("finished")) if trains(wanted) else (run.folder / checkpoint.MODEL).is_file()


def state_of(run: Run) -> dict[str, Any]:
    """What `RUN/last/state.json` says, or nothing."""
    path = run.folder / "last" / "state.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def is_scored(run: Run) -> bool:
    """Whether the scores are of the weights that are there."""
    scores, model = run.folder / f"scores-{run.split}.json", run.folder / checkpoint.MODEL
    return scores.is_file() and model.is_file() and scores.stat().st_mtime_ns >= model.stat().st_mtime_ns


def missing(run: Run) -> list[list[str]]:
    """The commands that the run still needs."""
    if not is_trained(run):
        resume = ["--resume"] if run.folder.exists() else []
        return [[*run.train, *resume], run.evaluate]
    return [] if is_scored(run) else [run.evaluate]


def work(runs: Sequence[Run], jobs: int, say: Say) -> list[str]:
    """Make what is missing, `jobs` runs at once; returns a line for each run that failed."""
    todo = [run for run in runs if missing(run)]
    say(f"{len(runs)} runs: {len(runs) - len(todo)} are there, {len(todo)} to make")
    threads = os.environ.get("OMP_NUM_THREADS") or (str(max((os.cpu_count() or 1) // jobs, 1)) if jobs > 1 else None)
    environment = os.environ | ({"OMP_NUM_THREADS": threads} if threads else {})
    pool = ThreadPoolExecutor(jobs)
    try:
        made = pool.map(lambda run: _make(run, environment, say), todo)
        return [failure for failure in made if failure]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, which the processes got as well


def _make(run: Run, environment: dict[str, str], say: Say) -> str | None:
    """Do what is missing, what it says into RUNS/NAME.log; a line if it fails.

    The log is locked, and the lock lives as long as the process that writes to it: where a killed command left one at
    work on this run, it is waited for.
    """
    run.folder.parent.mkdir(parents=True, exist_ok=True)
    log = run.folder.with_name(f"{run.name}.log")
    with log.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{run.name}: waiting for the process of an earlier command that is at work on it")
            fcntl.flock(file, fcntl.LOCK_EX)
        return _do(run, missing(run), file, environment, say)


def _do(run: Run, commands: Sequence[Sequence[str]], log: TextIO, environment: dict[str, str], say: Say) -> str | None:
    for command in commands:
        started = time.perf_counter()
        log.write(f"$ showtell {shlex.join(command)}\n")
        log.flush()
        words = [sys.executable, "-m", "showtell", *command]
        code = subprocess.run(words, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        if code:
            lines = Path(log.name).read_text("utf-8", errors="replace").splitlines()
            failure = f"{run.name}: {command[0]} failed with code {code}: {lines[-1]} (all of it: {log.name})"
            say(failure)
            return failure
        say(f"{run.name}: {command[0]} took {(time.perf_counter() - started) / 60:.1f} minutes")
    return None


def _same_path(before: object, now: object) -> bool:
    """Whether both name one place, however they are written."""
    if not isinstance(before, str) or not isinstance(now, str) or "/" not in before + now:
        return False
    return Path(before).resolve() == Path(now).resolve()
