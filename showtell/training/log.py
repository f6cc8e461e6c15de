"""The logs of training: always `metrics.jsonl` and `metrics.csv`; TensorBoard and wandb if the recipe asks for them."""

import csv
import importlib
import io
import json
from pathlib import Path
from typing import Any, Literal

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import append, inside, write_text
from showtell.plumbing.reading import TEXT, parse_json, read_bytes, read_text

Row = dict[str, Any]
LINES, CSV, WANDB_ID = FILES = "metrics.jsonl", "metrics.csv", "wandb_id.txt"


def read_log(run: Path) -> list[Row]:
    """The rows of `metrics.jsonl`, up to the first broken line: a killed run may leave half a line."""
    rows: list[Row] = []
    path = run / LINES
    for line in read_bytes(path, TEXT).decode("utf-8", "replace").splitlines() if path.exists() else []:
        try:
            row = parse_json(line)
        except ValueError:
            break
        if not _is_row(row):
            break
        rows.append(row)
    return rows


def _is_row(row: Any) -> bool:
    """Whether this is a row as `Log` writes it: numbers and texts by name, and a step."""
    if not isinstance(row, dict) or not all(isinstance(value, int | float | str) for value in row.values()):
        return False
    step = row.get("step")
    return isinstance(step, int) and not isinstance(step, bool) and step >= 0


def complete_csv(run: Path) -> None:
    """Write `metrics.csv` again if a kill came before its last rows."""
    text = as_csv(read_log(run))
    if not (run / CSV).is_file() or (run / CSV).read_text("utf-8", "replace") != text:
        write_text(run / CSV, text)


def as_csv(rows: list[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class Log:
    """Appends rows `{step, epoch, ...}`. A run that resumes at a step first drops the rows after that step."""

    def __init__(
        self,
        run: Path,
        *,
        tensorboard: bool = False,
        wandb: Literal["off", "offline", "online"] = "off",
        resumed_at: int | None = None,
    ) -> None:
        check_extras(tensorboard, wandb)
        self.run = run
        self.tensorboard = _tensorboard(run, resumed_at) if tensorboard else None
        self.wandb = _wandb(run, wandb) if wandb != "off" else None
        if resumed_at is not None:
            self.go_on(resumed_at)

    def go_on(self, step: int) -> None:
        """Keep the rows up to `step`, and add a row that says the run resumed there."""
        rows = [row for row in read_log(self.run) if row["step"] <= step]
        rows.append({"step": step, "event": "resumed"})
        write_text(self.run / LINES, "".join(json.dumps(row) + "\n" for row in rows))

    def write(self, row: Row) -> None:
        try:
            append(self.run / LINES, json.dumps(row) + "\n")
        except OSError as error:
            advice = "solve that, then continue with --resume"
            raise InputError(f"cannot be written: {error.strerror}", key=str(self.run / LINES), advice=advice) from None
        numbers = {name: value for name, value in row.items() if isinstance(value, int | float) and name != "step"}
        if self.tensorboard is not None:
            for name, value in numbers.items():
                self.tensorboard.add_scalar(name, value, row["step"])
        if self.wandb is not None:
            self.wandb.log(numbers, step=row["step"])

    def write_csv(self) -> None:
        write_text(self.run / CSV, as_csv(read_log(self.run)))

    def close(self) -> None:
        self.write_csv()
        if self.tensorboard is not None:
            self.tensorboard.close()
        if self.wandb is not None:
            self.wandb.finish()


class NoLog:
    """What processes other than the first have in place of a log."""

    def write(self, row: Row) -> None:
        pass

    def write_csv(self) -> None:
        pass

    def close(self) -> None:
        pass


def check_extras(tensorboard: bool, wandb: str) -> None:
    """Raise RecipeError if the recipe asks for a log whose package is not installed."""
    asked = {"tensorboard": ("torch.utils.tensorboard", tensorboard, "true")}
    asked["wandb"] = ("wandb", wandb != "off", repr(wandb))
    for name, (module, wanted, value) in asked.items():
        try:
            if wanted:
                importlib.import_module(module)
        except ImportError:
            raise RecipeError(
                f"is {value}", key=f"train.{name}", value=value, advice=f"it needs: pip install 'showtell[{name}]'"
            ) from None


def _tensorboard(run: Path, resumed_at: int | None) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    purge_step = None if resumed_at is None else resumed_at + 1  # the first step that is logged again
    return SummaryWriter(inside(run, "tensorboard", "train.tensorboard"), purge_step=purge_step)


def _wandb(run: Path, mode: str) -> Any:
    import wandb

    inside(run, "wandb", "train.wandb")
    known = read_text(run / WANDB_ID).strip() if (run / WANDB_ID).exists() else None
    try:
        made = wandb.init(project="showtell", name=run.name, id=known, dir=str(run), mode=mode, resume="allow")
    except wandb.errors.UsageError as error:
        advice = "log in with `wandb login`, or use train.wandb=offline"
        raise InputError(f"is {mode!r}: {error}", key="train.wandb", value=mode, advice=advice) from None
    write_text(run / WANDB_ID, made.id + "\n")  # so that a resumed run stays one run in wandb
    return made
