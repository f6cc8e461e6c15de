"""What training writes down: appended lines, cut short by a kill, gone on with from a checkpoint."""

import csv
import json
import sys
import time
import types

import pytest

from showtell.plumbing.errors import RecipeError
from showtell.training.log import Log, complete_csv, read_log


def row(step, **more):
    return {"step": step, "epoch": 0, "loss": 3.5 - step / 100, **more}


def written(run, *rows):
    log = Log(run)
    for entry in rows:
        log.write(entry)
    return log


def test_rows_are_read_back_in_their_order(tmp_path):
    rows = [row(20), row(40, **{"CIDEr-D": 0.5}), row(60)]
    written(tmp_path, *rows)
    assert read_log(tmp_path) == rows
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


def test_a_run_without_a_log_has_no_rows(tmp_path):
    assert read_log(tmp_path) == []


def test_a_line_that_a_kill_cut_short_ends_the_log(tmp_path):
    written(tmp_path, row(20), row(40), row(60))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_text()
    for cut in range(1, len(whole.splitlines()[-1])):
        path.write_text(whole[: -1 - cut])
        assert read_log(tmp_path) == [row(20), row(40)]
    path.write_text('{"step": 20}\n{"st\n{"step": 60}\n')
    assert read_log(tmp_path) == [{"step": 20}]


def test_going_on_drops_what_was_logged_after_the_checkpoint_and_says_where(tmp_path):
    log = written(tmp_path, row(20), row(40), row(60))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8')
    log.go_on(40)
    log.write(row(60))
    assert read_log(tmp_path) == [row(20), row(40), {"step": 40, "event": "resumed"}, row(60)]


def test_two_kills_leave_two_marks(tmp_path):
    log = written(tmp_path, row(20), row(40))
    log.go_on(20)
    log.write(row(40))
    log.go_on(40)
    resumed = [{"step": step, "event": "resumed"} for step in (20, 40)]
    assert read_log(tmp_path) == [row(20), resumed[0], row(40), resumed[1]]


def test_csv_has_a_column_for_every_name_and_a_hole_where_a_row_lacks_it(tmp_path):
    log = written(tmp_path, row(20), row(40, **{"CIDEr-D": 0.5}))
    log.go_on(40)
    log.close()
    text = (tmp_path / "metrics.csv").read_text()
    assert text.splitlines()[0] == "step,epoch,loss,CIDEr-D,event"
    rows = list(csv.DictReader(text.splitlines()))
    assert [entry["CIDEr-D"] for entry in rows] == ["", "0.5", ""]
    assert [entry["event"] for entry in rows] == ["", "", "resumed"]
    assert [float(entry["loss"]) for entry in rows[:2]] == [3.3, 3.1]


def test_every_line_is_json_that_others_read(tmp_path):
    written(tmp_path, row(20, note="é\n"))
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line)["note"] == "é\n"


def test_tensorboard_gets_every_number(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = Log(tmp_path, tensorboard=True)
    log.write(row(20, note="a word"))
    log.write(row(40))
    log.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["epoch", "loss"]
    assert [event.step for event in events.Scalars("loss")] == [20, 40]
    assert events.Scalars("loss")[1].value == pytest.approx(3.1)


def test_tensorboard_draws_a_resumed_run_once(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for resumed_at, steps in ((None, (20, 40, 60)), (40, (60, 80))):
        log = Log(tmp_path, tensorboard=True, resumed_at=resumed_at)
        for step in steps:
            log.write(row(step))
        log.close()
        time.sleep(1.1)  # TensorBoard orders its files by whole seconds
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss")] == [20, 40, 60, 80]


class Wandb(types.ModuleType):
    """wandb as far as a run's id goes: what was asked for, or one that it makes up."""

    def __init__(self):
        super().__init__("wandb")
        self.asked = []

    def init(self, *, id, **options):
        self.asked.append((id, options["resume"]))
        return types.SimpleNamespace(id=id or f"made-{len(self.asked)}")


def test_a_resumed_run_goes_on_in_the_same_wandb_run(tmp_path, monkeypatch):
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    Log(tmp_path, wandb="offline")
    Log(tmp_path, wandb="offline", resumed_at=0)
    assert wandb.asked == [(None, "allow"), ("made-1", "allow")]
    assert (tmp_path / "wandb_id.txt").read_text() == "made-1\n"


@pytest.mark.parametrize(
    ("module", "options", "told"),
    [
        ("torch.utils.tensorboard", {"tensorboard": True}, "train.tensorboard is true; it needs"),
        ("wandb", {"wandb": "offline"}, "train.wandb is 'offline'; it needs"),
    ],
    ids=["tensorboard", "wandb"],
)
def test_a_missing_extra_is_named(tmp_path, monkeypatch, module, options, told):
    monkeypatch.setitem(sys.modules, module, None)
    extra = next(iter(options))
    with pytest.raises(RecipeError, match=rf"^{told}: pip install 'showtell\[{extra}\]'$"):
        Log(tmp_path, **options)


@pytest.mark.parametrize(
    "damage",
    [
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"step": "x"}',
        b'{"step": null}',
        b'{"step": 3, "loss": [1]}',
        b"\xff\xfe\0",
        b"{",
    ],
)
def test_a_damaged_log_is_read_up_to_the_damage(tmp_path, damage):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "loss": 2.5}\n' + damage + b'\n{"step": 3}\n')
    assert read_log(tmp_path) == [{"step": 1, "loss": 2.5}]
    Log(tmp_path, resumed_at=1).write_csv()
    assert (tmp_path / "metrics.csv").read_text().startswith("step,loss,event\n1,2.5,\n")


def test_a_csv_without_its_last_rows_is_completed(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.0}\n')
    (tmp_path / "metrics.csv").write_text("step,loss\n1,2.5\n")
    complete_csv(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == "step,loss\n1,2.5\n2,2.0\n"
