"""The training loop: what a step learns from, what is logged, how a run stops."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from showtell import checkpoint
from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError
from showtell.training.job import Job
from showtell.training.log import read_log
from tests.small import FROZEN, small_recipe, train_small, write_karpathy
from tests.training.short import ONE_STEP, STILL, state, trained


def test_a_run_leaves_its_files(cnn_run):
    assert sorted(path.name for path in cnn_run.iterdir()) == [
        *("last", "made.json", "metrics.csv", "metrics.jsonl", "model.safetensors", "recipe.yaml", "tokenizer.json")
    ]
    assert sorted(path.name for path in (cnn_run / "last").iterdir()) == [
        *("model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json")
    ]
    assert checkpoint.read_recipe(cnn_run) == small_recipe()


def test_every_epoch_is_logged_with_its_validation(cnn_run):
    rows = read_log(cnn_run)
    assert [(row["step"], row["epoch"]) for row in rows] == [(8, 1), (16, 2)]
    for row in rows:
        metrics = {"val_loss", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D"}
        if METRICS["METEOR"].missing(None) is None:
            metrics.add("METEOR")
        assert set(row) == {"step", "epoch", "loss", "lr", "captions_per_second", "seconds"} | metrics
    with (cnn_run / "metrics.csv").open() as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == rows


@pytest.mark.slow
def test_long_epochs_are_logged_every_20_steps(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.batch_size=5", "train.epochs=1")
    assert [row["step"] for row in rows] == [20, 24]
    assert "val_loss" not in rows[0] and "val_loss" in rows[1]


def test_training_learns(cnn_run):
    first, last = (row["val_loss"] for row in read_log(cnn_run))
    assert last < first < 3.5


@pytest.mark.slow
def test_one_seed_gives_one_run_and_another_gives_another(tmp_path, frozen_run):
    overrides = [*FROZEN, "train.accumulate=2"]
    train_small(tmp_path / "same", *overrides)
    train_small(tmp_path / "other", *overrides, "train.seed=1")
    same, other, before = (
        (run / "model.safetensors").read_bytes() for run in (tmp_path / "same", tmp_path / "other", frozen_run)
    )
    assert same == before != other


@pytest.mark.slow
def test_two_accumulated_batches_are_one_batch_of_both(tmp_path):
    overrides = [*STILL, *ONE_STEP, "train.max_steps=1", "train.clip=1000"]
    one = trained(tmp_path / "one", *overrides)
    two = trained(tmp_path / "two", *overrides, "train.batch_size=70", "train.accumulate=2")
    assert one[0]["loss"] == pytest.approx(two[0]["loss"], rel=1e-6)
    moments = [checkpoint.read_tensors(tmp_path / run / "last" / "optimizer.safetensors") for run in ("one", "two")]
    for name, moment in moments[0].items():
        torch.testing.assert_close(moments[1][name], moment, rtol=1e-4, atol=1e-7)


def test_the_clip_bounds_the_gradient(tmp_path):
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.max_steps=1", "train.clip=0.01")
    moments = checkpoint.read_tensors(tmp_path / "run" / "last" / "optimizer.safetensors")
    gradient = torch.cat([m.flatten() for name, m in moments.items() if name.endswith("exp_avg")]) / 0.1
    assert float(gradient.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.slow
def test_labels_are_smoothed_in_training_and_not_in_validation(tmp_path):
    rows = {}
    for smoothing in (0.0, 0.4):
        overrides = [*STILL, *ONE_STEP, "train.max_steps=1", "train.lr=1e-30", f"loss.label_smoothing={smoothing}"]
        (rows[smoothing],) = trained(tmp_path / str(smoothing), *overrides)
    assert rows[0.0]["val_loss"] == rows[0.4]["val_loss"]
    vocabulary = len(json.loads((tmp_path / "0.4" / "tokenizer.json").read_text())["words"]) + 4
    # An untrained decoder finds all words about as likely: both losses lie near log V, but they are not the same.
    assert rows[0.0]["loss"] != pytest.approx(rows[0.4]["loss"], rel=1e-4)
    assert rows[0.4]["loss"] == pytest.approx(torch.tensor(float(vocabulary)).log().item(), rel=0.05)


@pytest.mark.slow
def test_the_rate_that_is_logged_is_the_rate_that_was_used(tmp_path):
    overrides = ["train.schedule=milestones", "train.milestones=[1]", "train.gamma=0.5", "train.epochs=3"]
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, *overrides)
    assert [row["lr"] for row in rows] == pytest.approx([0.01, 0.005, 0.005])


@pytest.mark.slow
def test_epochs_end_where_they_end_also_with_uneven_captions(tmp_path):
    """Packing captions by chance makes one epoch a step longer than another."""
    overrides = write_karpathy(tmp_path / "data")
    source = tmp_path / "data" / "dataset_small.json"
    content = json.loads(source.read_text())
    for number, image in enumerate(content["images"][:4]):
        del image["sentences"][number + 1 :]
    source.write_text(json.dumps(content))
    rows = trained(tmp_path / "run", *STILL, *overrides, "train.batch_size=4", "train.epochs=5", "train.warmup_steps=0")
    lengths = [row["step"] for row in rows]
    assert len({after - before for before, after in zip([0, *lengths], lengths, strict=False)}) > 1
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert state(tmp_path / "run")["step_in_epoch"] == 0


def test_a_frozen_encoders_weights_stay_with_their_source(frozen_run, cnn_run):
    assert all(name.startswith("decoder.") for name in checkpoint.read_tensors(frozen_run / "model.safetensors"))
    own = [n for n in checkpoint.read_tensors(cnn_run / "model.safetensors") if n.startswith("encoder.")]
    assert any("running_mean" in name for name in own)


@pytest.mark.slow
def test_bf16_works_on_a_cpu_and_keeps_weights_in_fp32(tmp_path):
    losses = {}
    for precision in ("fp32", "bf16"):
        run = tmp_path / precision
        overrides = [*STILL, "train.max_steps=3", "train.warmup_steps=0", f"train.precision={precision}"]
        losses[precision] = trained(run, *overrides)[0]["loss"]
        assert {t.dtype for t in checkpoint.read_tensors(run / "model.safetensors").values()} <= {torch.float32}
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path):
    with pytest.raises(InputError, match=r"not finite at step \d+; lower train.lr \(now 100000000000\.0\)$"):
        train_small(tmp_path / "run", *STILL, "train.lr=1e11", "train.warmup_steps=0")


def test_tensorboard_is_written_where_asked(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, "train.tensorboard=true")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("val_loss")] == pytest.approx([row["val_loss"] for row in rows])


def test_a_thread_that_is_not_the_main_one_trains_too(tmp_path):
    """Signals are then somebody else's."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train_small, tmp_path / "run", *STILL, *ONE_STEP, "train.max_steps=1").result()
    assert state(tmp_path / "run")["finished"]


@pytest.mark.slow
def test_numbers_too_small_for_a_normal_float_are_zero_while_it_trains_and_no_longer(tmp_path, monkeypatch):
    """A CPU takes many times as long for them."""
    small, step, found = torch.tensor([1e-30]), Job.step, []
    monkeypatch.setattr(Job, "step", lambda job: (found.append(float(small * 1e-10)), step(job))[1])
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=1")
    assert found == [0.0]
    assert float(small * 1e-10) > 0
