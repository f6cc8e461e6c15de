"""Logs of trainings: curves over three axes, best epochs, whether scores follow the loss."""

import json

import pytest

from showtell.report.runs.log import Log, follows, log_of, rank_correlation, thinned

ROWS = [
    {"step": 5, "epoch": 0, "loss": 4.0, "seconds": 1.0, "captions_per_second": 30.0},
    {"step": 5, "event": "resumed"},
    {"step": 10, "epoch": 1, "loss": 3.0, "seconds": 2.0, "captions_per_second": 10.0, "val_loss": 3.5, "BLEU-4": 0.1},
    {"step": 20, "epoch": 2, "loss": 2.0, "seconds": 4.0, "captions_per_second": 20.0, "val_loss": 2.5, "BLEU-4": 0.3},
    {"step": 25, "epoch": 2, "loss": 1.0, "seconds": 5.0, "captions_per_second": 40.0, "val_loss": 3.0, "BLEU-4": 0.2},
]


def test_epochs_count_as_fractions():
    assert Log(ROWS).curve("loss") == [(0.5, 4.0), (1.0, 3.0), (2.0, 2.0), (2.5, 1.0)]


def test_a_curve_has_three_axes():
    log = Log(ROWS)
    assert log.curve("val_loss", "step") == [(10.0, 3.5), (20.0, 2.5), (25.0, 3.0)]
    assert log.curve("val_loss", "seconds") == [(2.0, 3.5), (4.0, 2.5), (5.0, 3.0)]


def test_old_logs_have_no_seconds_but_the_other_axes():
    old = Log([{name: value for name, value in row.items() if name != "seconds"} for row in ROWS])
    assert old.curve("loss", "seconds") == [] and len(old.curve("loss", "step")) == 4


def test_the_best_of_each_metric_may_have_another_epoch():
    rows = [*ROWS, {"step": 30, "epoch": 3, "val_loss": 2.9, "BLEU-4": 0.4}]
    assert Log(rows).best("val_loss") == (2.0, 2.5) and Log(rows).best("BLEU-4") == (3.0, 0.4)
    assert Log(rows).best("METEOR") is None
    assert Log(rows).metrics == ["val_loss", "BLEU-4"]


def test_the_speed_is_the_median():
    assert Log(ROWS).speed == 30.0 and Log().speed is None


def test_scores_that_rise_while_the_loss_falls_follow_it():
    assert "BLEU-4 follows the loss (rank correlation -1.00 over 3 validations" in follows(Log(ROWS), "BLEU-4")
    up = [{"step": n, "epoch": n, "val_loss": 3.0 + n, "BLEU-4": n / 9} for n in range(1, 5)]
    assert "does not follow" in follows(Log(up), "BLEU-4")
    assert "too few" in follows(Log(up[:2]), "BLEU-4")
    still = [row | {"BLEU-4": 0.0} for row in up]
    assert "never changed" in follows(Log(still), "BLEU-4")


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ([1, 2, 3], [5, 6, 9], 1.0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
        ([1, 2, 2, 3], [1, 2, 2, 3], 1.0),
        ([1, 2], [1, 2], None),
    ],
)
def test_rank_correlation_is_spearmans(first, second, value):
    assert rank_correlation(first, second) == value


def test_a_long_curve_keeps_its_shape_in_few_points():
    line = [(float(n), 2.0 * n) for n in range(1000)]
    few = thinned(line, 10)
    assert len(few) == 10 and all(y == 2 * x for x, y in few)
    assert thinned(line[:5], 10) == line[:5]


def test_what_is_broken_in_a_log_is_skipped(tmp_path):
    lines = [json.dumps(ROWS[0]), "[1]", json.dumps({"loss": 2.0}), json.dumps({"step": 7, "loss": float("nan")})]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9, "lo')
    log = log_of(tmp_path)
    assert log.curve("loss", "step") == [(5.0, 4.0)]
    assert log_of(tmp_path / "none").rows == []
