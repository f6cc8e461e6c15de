"""Runs -> run folders with scores: what is missing is made, one process a run; a kill at any moment costs little.

A finished run is skipped, a stopped one is resumed, one that was made by another recipe is an error and never touched.
What is made of other runs comes after them.
"""

import fcntl
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from benchmarks.results.plan import FILE
from benchmarks.results.runs import Run
from showtell import checkpoint
from showtell.metrics import METRICS
from showtell.metrics.names import chosen
from showtell.plumbing.errors import InputError
from showtell.recipe.check import check
from showtell.recipe.rules import trains
from showtell.settings.text import Recipe, same, same_place
from showtell.training.resume import MACHINE

Say = Callable[[str], None]


def is_trained(run: Run) -> bool:
    """Whether the folder holds the finished run; InputError where another recipe made it.

    What is decoded otherwise has no weights of its own, and needs its source's.
    """
    if not (run.folder / checkpoint.RECIPE).is_file():
        return run.kind == "decoded" and is_trained(run.needs[0])
    wanted = run.checked
    _check_same(run.folder, wanted)
    if run.kind == "decoded":
        return is_trained(run.needs[0])
    if run.kind == "ensemble":
        for model, member in zip(_models(run), run.needs, strict=True):
            _check_same(model.parent, member.checked)
        return True  # its recipe is written last
    return bool(state_of(run).get("finished")) if trains(wanted) else (run.folder / checkpoint.MODEL).is_file()


def _check_same(folder: Path, wanted: Recipe) -> None:
    if wrong := differs(check(checkpoint.read_recipe(folder)), wanted):
        key, before, now = wrong
        raise InputError(
            f"{folder} was made with {key}={before}, and the plan says {now}; move it away, or "
            "name another folder with --runs"
        )


def differs(made: Recipe, wanted: Recipe) -> tuple[str, object, object] | None:
    """The first key by which two recipes make other weights, with both values; None if there is none."""
    for section in {**wanted, **made}.keys() - {"evaluate"}:  # that one may change: it makes no weights
        old, new = made.get(section, {}), wanted.get(section, {})
        for key in old | new:
            before, now = old.get(key), new.get(key)
            if not _same(f"{section}.{key}", before, now):
                return f"{section}.{key}", before, now
    return None


def _same(key: str, before: object, now: object) -> bool:
    if key in MACHINE:
        return True
    if key == "train.select":  # a run says which of them chose its epoch
        return before in [name.strip() for name in str(now).split(",")]
    return same(before, now, _alike)


def _alike(before: object, now: object) -> bool:
    """Of a file nobody may have said where it is."""
    return (isinstance(before, str) and bool(FILE.fullmatch(str(now)))) or same_place(before, now)


def state_of(run: Run) -> dict[str, Any]:
    """What `RUN/last/state.json` says, or nothing."""
    path = run.folder / "last" / "state.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def is_scored(run: Run) -> bool:
    """Whether the scores are of the weights that are there, with all standard metrics that can be had here."""
    path, models = run.folder / f"scores-{run.split}.json", _models(run)
    if not path.is_file() or not all(model.is_file() for model in models):
        return False
    if path.stat().st_mtime_ns < max(model.stat().st_mtime_ns for model in models):
        return False
    names = [name for name in chosen(run.checked["evaluate"]["metrics"]) if METRICS[name].group == "standard"]
    scores = json.loads(path.read_text("utf-8"))["scores"]
    return all(name in scores for name in names if METRICS[name].missing(None) is None)


def _models(run: Run) -> list[Path]:
    """The files of the weights that caption."""
    if run.kind == "decoded":
        return _models(run.needs[0])
    if run.kind == "ensemble":
        return [run.folder / member / checkpoint.MODEL for member in run.checked["captioner"]["members"]]
    return [run.folder / checkpoint.MODEL]


def missing(run: Run) -> list[list[str]]:
    """The commands that the run still needs."""
    scoring = [*run.evaluate, *_metrics(run)]
    if not is_trained(run):
        resume = ["--resume"] if run.kind == "trained" and run.folder.exists() else []
        return [[*run.make, *resume], scoring] if run.make else [scoring]
    return [] if is_scored(run) else [scoring]


def _metrics(run: Run) -> list[str]:
    """The plan's metrics where what is there was made with others."""
    folder = run.folder if run.kind == "trained" else run.needs[0].folder
    if not (folder / checkpoint.RECIPE).is_file():
        return []
    made, wanted = check(checkpoint.read_recipe(folder))["evaluate"], run.checked["evaluate"]
    return [] if made["metrics"] == wanted["metrics"] else [f"evaluate.metrics=[{','.join(wanted['metrics'])}]"]


def with_needs(runs: Iterable[Run]) -> list[Run]:
    """The runs, and before each what it is made of."""
    every: dict[Run, None] = {}
    for run in runs:
        every |= dict.fromkeys([*with_needs(run.needs), run])
    return list(every)


def work(runs: Sequence[Run], jobs: int, say: Say) -> list[str]:
    """Make what is missing, `jobs` runs at once; returns a line for each run that failed."""
    todo = [run for run in runs if missing(run)]
    say(f"{len(runs)} runs: {len(runs) - len(todo)} are there, {len(todo)} to make")
    threads = os.environ.get("OMP_NUM_THREADS") or (str(max((os.cpu_count() or 1) // jobs, 1)) if jobs > 1 else None)
    environment = os.environ | ({"OMP_NUM_THREADS": threads} if threads else {})
    pool = ThreadPoolExecutor(jobs)
    futures: dict[Run, Future[str | None]] = {}
    try:
        for run in sorted(todo, key=_depth):  # so that no run waits for one that comes later
            futures[run] = pool.submit(_make_after, run, dict(futures), environment, say)
        made = [future.result() for future in futures.values()]
        return [failure for failure in made if failure]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, which the processes got as well


def _depth(run: Run) -> int:
    return max((1 + _depth(need) for need in run.needs), default=0)


def _make_after(run: Run, before: dict[Run, Future[str | None]], environment: dict[str, str], say: Say) -> str | None:
    for need in run.needs:
        if need in before and before[need].result():
            failure = f"{run.name}: not made, since {need.name} failed"
            say(failure)
            return failure
    return _make(run, environment, say)


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
