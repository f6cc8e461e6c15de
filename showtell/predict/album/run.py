"""An album, a captioner and a folder -> captions: what `showtell caption ALBUM --out FOLDER/` does."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError, Interrupted
from showtell.plumbing.files import check_folder, clear
from showtell.plumbing.interrupt import stop_signal
from showtell.plumbing.lock import Lock
from showtell.plumbing.messages import count, printable, say
from showtell.predict.album import settings
from showtell.predict.album.confidence import Calibration
from showtell.predict.album.live import Live
from showtell.predict.album.parts import WRITERS, Row
from showtell.predict.album.plan import Plan, part_size
from showtell.predict.album.shards import Shard
from showtell.predict.album.sidecars import sharing
from showtell.predict.album.sources import Source
from showtell.predict.album.tables import parquet
from showtell.predict.album.wording import AS_IT_IS, Wording
from showtell.predict.album.work import Step, Work, make_parts, write_sidecars

PLAN_LOCK = ".plan.lock"
WAIT = 0.2  # seconds
SHOWN = 10  # failures that are named
Steps = Generator[Step, None, None]
Engine = Callable[[Work, list[int]], Steps]


@dataclass(frozen=True)
class Asked:
    """The options of `showtell caption` for an album."""

    folder: Path
    form: str = "jsonl"
    shard: Shard | None = None
    wording: Wording = AS_IT_IS
    sidecars: bool = False
    overwrite: bool = False

    def check(self, source: Source) -> None:
        """Raise InputError, before a model is loaded, for what cannot work."""
        if self.form not in WRITERS:
            raise InputError(key="--format", value=self.form, takes=tuple(WRITERS))
        if self.form == "parquet":
            parquet()
        self.wording.check()
        check_folder(self.folder, "--out")
        settings.check_free(self.folder)
        if self.overwrite or not (self.folder / settings.FILE).is_file():
            source.check_some()
        if self.sidecars and not source.has_files:
            raise InputError(f"needs photos that are files; these are rows of {source.kind}", key="--sidecar")
        if self.overwrite and self.shard is not None:
            advice = "begin anew in one run without --shard, or name another folder"
            raise InputError("would delete what other shards write", key="--overwrite", advice=advice)


@dataclass
class Report:
    """What a run did. `photos` are those of its shard; `before` of them were in whole parts already.

    `failed` has the reasons of the first `failures`. Beside `kept` photos another text stays; `first_kept` is one.
    """

    photos: int
    before: int
    failed: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    kept: int = 0
    first_kept: str = ""
    seconds: float = 0.0

    def keep(self, image_ids: Sequence[str]) -> None:
        if image_ids and not self.kept:
            self.first_kept = image_ids[0]
        self.kept += len(image_ids)

    def fail(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["error"] is None:
                continue
            self.failures += 1
            if len(self.failed) < SHOWN:
                self.failed[row["image_id"]] = row["error"]


def caption_album(
    captioner: Captioner,
    model: str,
    source: Source,
    asked: Asked,
    console: Console | None = None,
    calibration: Calibration | None = None,
    engine: Engine | None = None,
) -> Report:
    """Caption what has no row yet. Raises InputError if the folder is in use or was begun with other settings;
    Interrupted after Ctrl-C, when everything so far is on disk."""
    asked.folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with _locked(asked):
        plan = _planned(captioner, model, source, asked, console)
        owner = _owners(plan, source, console) if asked.sidecars else {}
        work = Work(asked.folder, asked.form, asked.wording, asked.sidecars, asked.overwrite, calibration, owner)
        numbers = [number for number in range(len(plan.counts)) if asked.shard is None or asked.shard.has(number)]
        left = [number for number in numbers if not work.part(number).done]
        done = [number for number in numbers if work.part(number).done]
        photos, before = (sum(plan.counts[number] for number in some) for some in (numbers, done))
        report = Report(photos, before)
        _look_back(work, plan, done, report)
        _announce(report, asked, console)
        steps = engine(work, left) if engine is not None else make_parts(captioner, work, left)
        _follow(steps, report, console)
        if elsewhere := sum(not work.part(number).done for number in left):
            say(console, f"{count(elsewhere, 'part')} left to other processes, which are making them")
        _count_failures(work, plan, left, report)
    report.seconds = time.perf_counter() - started
    return report


@contextmanager
def _locked(asked: Asked) -> Iterator[None]:
    """The whole folder, or a shard of it: then shards may work beside each other, but each only once."""
    with Lock(asked.folder, shared=asked.shard is not None) as folder:
        folder.take()
        if asked.shard is None:
            yield
            return
        with Lock(asked.folder, asked.shard.lock) as own:
            own.take()
            yield


def _planned(captioner: Captioner, model: str, source: Source, asked: Asked, console: Console | None) -> Plan:
    """The plan of the folder, which the first run makes; another shard waits for it."""
    with Lock(asked.folder, PLAN_LOCK) as lock:
        _wait_for(lock)
        if asked.overwrite:
            settings.empty(asked.folder)
        settings.settle(asked.folder, _settings(captioner, model, source, asked))
        plan = Plan(asked.folder)
        shards = None if asked.shard is None else asked.shard.of
        if not plan.exists:
            number = sum(1 for _ in source.photos())
            if number == 0:
                clear(asked.folder / settings.FILE)
                raise InputError("has no photos", key=str(source.paths[0]), advice="name a folder or list with photos")
            plan.extend(source.photos(), part_size(number, shards))
        elif shards is None and (new := plan.new(source.photos())):
            plan.extend(new)
            say(console, f"{count(len(new), 'photo')} came to the album since it was planned")
        return plan


def _wait_for(lock: Lock) -> None:
    while not lock.taken:
        try:
            lock.take()
        except InputError:  # another shard makes the plan at this moment
            time.sleep(WAIT)


def _settings(captioner: Captioner, model: str, source: Source, asked: Asked) -> dict[str, Any]:
    return {
        "photos": [str(path) for path in source.paths],
        "photo_column": source.column,
        "model": model,
        "decoding": captioner.manner,
        "made_by": captioner.fingerprint,
        "format": asked.form,
        "wording": [*asked.wording],
    }


def _owners(plan: Plan, source: Source, console: Console | None) -> dict[str, str]:
    """Which photo has a text that several would have."""
    lists = source.paths if source.kind == "list" else []
    shared = sharing(plan.every, lists)
    if shared.photos:
        first = f"first: {printable(shared.first)}"
        say(console, f"{count(shared.photos, 'photo')} would have the text of another photo, and get none ({first})")
    return shared.owner


def _announce(report: Report, asked: Asked, console: Console | None) -> None:
    shard = f"shard {asked.shard}: " if asked.shard is not None else ""
    if report.before:
        say(console, f"{shard}{report.before:,} of {count(report.photos, 'photo')} are in whole parts: skipped")
    elif shard:
        say(console, f"{shard}{count(report.photos, 'photo')}")


def _look_back(work: Work, plan: Plan, done: list[int], report: Report) -> None:
    """Read the parts that are done: a damaged one is an error now, and not after hours. They may lack sidecars."""
    for number in done:
        items = plan.items(number)
        rows = list(work.part(number).rows(items))
        report.fail(rows)
        report.keep(write_sidecars(work, items, rows))


def _follow(steps: Steps, report: Report, console: Console | None) -> None:
    """Show the steps as they come, until all are done or Ctrl-C."""
    with stop_signal() as stop, closing(steps), Live(console, report.photos - report.before) as live:
        for step in steps:
            report.keep(step.kept)
            live.add(step)
            if stop:
                raise Interrupted("stopped")


def _count_failures(work: Work, plan: Plan, made: list[int], report: Report) -> None:
    for number in made:
        part = work.part(number)
        if part.done:  # else a shard of another division is making it
            report.fail(part.rows(plan.items(number)))
