"""Parts of a plan and a captioner -> files of rows, and sidecars. Every engine runs this, in one process or in many."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.plumbing.errors import InputError
from showtell.plumbing.lock import Lock
from showtell.predict.album.confidence import Calibration, mean_log_prob
from showtell.predict.album.items import Item
from showtell.predict.album.parts import OTHERS, Part, Row
from showtell.predict.album.pipeline import Result, captioned
from showtell.predict.album.plan import Plan
from showtell.predict.album.sidecars import text_beside, write_sidecar
from showtell.predict.album.wording import AS_IT_IS, Wording


@dataclass(frozen=True)
class Work:
    """What is done with every photo; it can be sent to another process."""

    folder: Path
    form: str = "jsonl"
    wording: Wording = AS_IT_IS
    sidecars: bool = False
    overwrite: bool = False
    calibration: Calibration | None = None
    owner: Mapping[str, str] = field(default_factory=dict)  # a text that several photos have -> the one that writes it

    def part(self, number: int) -> Part:
        return Part(self.folder, number, self.form)


@dataclass(frozen=True)
class Step:
    """Some photos that have rows. `kept`: another text stays beside them. `whole`: all of their part have rows."""

    part: int
    photos: int
    failed: int = 0
    before: int = 0
    kept: tuple[str, ...] = ()
    whole: bool = False


def make_parts(captioner: Captioner, work: Work, numbers: Iterable[int]) -> Generator[Step, None, None]:
    """Make these parts, in order; a step for each batch. A part that another process is making is skipped."""
    plan = Plan(work.folder)
    open_parts: dict[int, _Open] = {}
    try:
        with closing(captioned(captioner, _begun(plan, work, numbers, open_parts))) as batches:
            for batch in batches:
                part = open_parts[batch.part]
                yield part.add(captioner, batch.items, batch.results)
                if part.left == 0:
                    yield open_parts.pop(batch.part).finish()
    finally:
        for each in open_parts.values():
            each.lock.__exit__()


def _begun(
    plan: Plan, work: Work, numbers: Iterable[int], open_parts: "dict[int, _Open]"
) -> Iterator[tuple[int, Sequence[Item]]]:
    """(part, photos without a row) of each part, locked as it is begun."""
    for number in numbers:
        part = work.part(number)
        lock = Lock(work.folder, f".{part.name}.lock")
        try:
            lock.take()
        except InputError:  # a shard of another division has it
            continue
        if part.done:
            lock.__exit__()
            continue
        items = plan.items(number)
        rows = part.begin(items)
        left = items[len(rows) :]
        open_parts[number] = _Open(part, work, lock, len(left), len(rows))
        if not left:  # it was stopped before its last step
            open_parts.pop(number).finish()
            continue
        yield number, left


class _Open:
    """A part that is being made; `left` counts its photos without a row, `before` those that had one."""

    def __init__(self, part: Part, work: Work, lock: Lock, left: int, before: int) -> None:
        self.part, self.work, self.lock, self.left, self.before = part, work, lock, left, before

    def add(self, captioner: Captioner, items: Sequence[Item], results: Sequence[Result]) -> Step:
        rows = [
            row_of(captioner, item.image_id, result, self.work) for item, result in zip(items, results, strict=True)
        ]
        kept = write_sidecars(self.work, items, rows)
        self.part.add(rows)
        self.left -= len(items)
        failed = sum(row["error"] is not None for row in rows)
        return Step(self.part.number, len(items), failed, kept=tuple(kept))

    def finish(self) -> Step:
        self.part.finish()
        self.lock.__exit__()
        return Step(self.part.number, 0, before=self.before, whole=True)


def row_of(captioner: Captioner, image_id: str, result: Result, work: Work) -> Row:
    if not isinstance(result, Caption):
        empty = dict.fromkeys(("caption", "log_prob", "mean_log_prob", "probability"))
        return {"image_id": image_id, **empty, "error": result}
    mean = mean_log_prob(captioner, result)
    probability = None if work.calibration is None or mean is None else work.calibration(mean)
    row: Row = {"image_id": image_id, "caption": work.wording(result.text), "log_prob": result.log_prob}
    row |= {"mean_log_prob": mean, "probability": probability, "error": None}
    if others := getattr(result, OTHERS, ()):
        row[OTHERS] = [[work.wording(other.text), other.log_prob] for other in others]
    return row


def write_sidecars(work: Work, items: Sequence[Item], rows: Iterable[Row]) -> list[str]:
    """Write the captions beside their photos; returns the photos beside which another text stays."""
    if not work.sidecars:
        return []
    kept = []
    for item, row in zip(items, rows, strict=True):
        photo, caption = item.place[1], row["caption"]
        if caption is None or work.owner.get(text_beside(photo), photo) != photo:
            continue
        if not write_sidecar(item, caption, work.overwrite):
            kept.append(item.image_id)
    return kept
