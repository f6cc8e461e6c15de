"""The training loop: what a step learns from, when it validates, what it keeps, what it refuses before it starts."""

import csv
import json
import math
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import yaml
from PIL import Image

import showtell
from showtell import checkpoint
from showtell.cache import open_source
from showtell.cli import main
from showtell.loading import load_folder
from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError, RecipeError
from showtell.predict.captions import describe_all
from showtell.recipe.build import build
from showtell.training import validation
from showtell.training.job import Job
from showtell.training.log import read_log
from showtell.training.validation import Validation, chooser
from tests.small import FROZEN, small_recipe, train_small, write_karpathy

STILL = [*FROZEN, "decoder.dropout=0", "decoder.feature_dropout=0", "train.precision=fp32"]
ONE_STEP = ["train.batch_size=120", "train.warmup_steps=0"]  # all 24 photos with their five captions


def trained(run, *overrides):
    train_small(run, *overrides)
    return read_log(run)


def state(run):
    return json.loads((run / "last" / "state.json").read_text())


def test_a_run_leaves_its_files(cnn_run):
    assert sorted(path.name for path in cnn_run.iterdir()) == [
        *("last", "metrics.csv", "metrics.jsonl", "model.safetensors", "recipe.yaml", "tokenizer.json")
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
        assert set(row) == {"step", "epoch", "loss", "lr", "captions_per_second"} | metrics
    with (cnn_run / "metrics.csv").open() as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == rows


def test_long_epochs_are_logged_every_20_steps(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.batch_size=5", "train.epochs=1")
    assert [row["step"] for row in rows] == [20, 24]
    assert "val_loss" not in rows[0] and "val_loss" in rows[1]


def test_training_learns(cnn_run):
    first, last = (row["val_loss"] for row in read_log(cnn_run))
    assert last < first < 3.5


def test_one_seed_gives_one_run_and_another_gives_another(tmp_path, frozen_run):
    overrides = [*FROZEN, "train.accumulate=2"]
    train_small(tmp_path / "same", *overrides)
    train_small(tmp_path / "other", *overrides, "train.seed=1")
    same, other, before = (
        (run / "model.safetensors").read_bytes() for run in (tmp_path / "same", tmp_path / "other", frozen_run)
    )
    assert same == before != other


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


def test_the_rate_that_is_logged_is_the_rate_that_was_used(tmp_path):
    overrides = ["train.schedule=milestones", "train.milestones=[1]", "train.gamma=0.5", "train.epochs=3"]
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, *overrides)
    assert [row["lr"] for row in rows] == pytest.approx([0.01, 0.005, 0.005])


def test_the_last_step_validates_in_the_middle_of_an_epoch_too(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.max_steps=10", "train.validate_every=5")
    assert [(row["step"], row["epoch"], "val_loss" in row) for row in rows] == [(8, 1, False), (10, 1, True)]
    assert state(tmp_path / "run")["finished"] and state(tmp_path / "run")["best_step"] == 10


def test_validation_may_be_rarer_than_epochs(tmp_path):
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=5", "train.validate_every=2")
    assert [row["step"] for row in rows if "val_loss" in row] == [2, 4, 5]


def test_training_stops_early_where_nothing_gets_better(tmp_path):
    overrides = ["train.lr=1e-30", "train.epochs=9", "train.patience=2", "train.select=loss"]
    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, *overrides)
    assert len({row["val_loss"] for row in rows}) == 1
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert state(tmp_path / "run")["finished"] and state(tmp_path / "run")["best_step"] == 1


def test_what_tells_copies_of_the_training_captions_can_choose_the_epoch(tmp_path):
    rows = trained(tmp_path / "run", *ONE_STEP, "train.epochs=1", "train.select=copied")
    assert 0 <= rows[-1]["copied"] <= 1


def test_of_several_metrics_the_first_that_is_here_chooses_the_epoch(monkeypatch):
    monkeypatch.setitem(METRICS, "ROUGE-L", METRICS["ROUGE-L"]._replace(missing=lambda texts: "needs a moon"))
    said = []
    assert chooser("ROUGE-L, BLEU-4,loss", said.append) == "BLEU-4"
    assert len(said) == 1 and "train.select" in said[0] and "ROUGE-L needs a moon" in said[0] and "so BLEU-4" in said[0]
    assert chooser("loss", said.append) == "loss" and len(said) == 1
    with pytest.raises(InputError, match=r"^train.select is ROUGE-L, .*: ROUGE-L needs a moon; .*another metric"):
        chooser("ROUGE-L", said.append)


@pytest.mark.parametrize(("select", "best"), [("loss", 1), ("BLEU-4", 2), ("CIDEr-D", 3)])
def test_the_best_weights_are_those_that_the_chosen_metric_names(tmp_path, monkeypatch, select, best):
    found = [{"val_loss": 1.0 + i, "BLEU-4": (0.1, 0.3, 0.2)[i], "CIDEr-D": (0.1, 0.1, 0.9)[i]} for i in range(3)]
    weights = []

    def measure(validation):
        captioner = validation.captioner
        saved = checkpoint.weights(captioner.encoder, captioner.decoder)
        weights.append({name: tensor.clone() for name, tensor in saved.items()})
        return found[len(weights) - 1]

    monkeypatch.setattr(Validation, "measure", measure)
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=3", f"train.select={select}")
    kept = checkpoint.read_tensors(tmp_path / "run" / "model.safetensors")
    equal = [all(torch.equal(kept[name], tensor) for name, tensor in epoch.items()) for epoch in weights]
    assert equal == [epoch == best for epoch in (1, 2, 3)]
    assert state(tmp_path / "run")["best_step"] == best


@pytest.mark.parametrize(("losses", "best"), [([math.nan, 1.0, 2.0], 2), ([2.0, math.inf, math.nan], 1)])
def test_a_validation_without_a_finite_figure_is_never_the_best(tmp_path, monkeypatch, losses, best):
    found = iter(losses)
    monkeypatch.setattr(Validation, "measure", lambda validation: {"val_loss": next(found)})
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=3", "train.select=loss")
    assert (state(tmp_path / "run")["best_step"], state(tmp_path / "run")["best"]) == (best, -losses[best - 1])


def test_the_best_weights_give_the_loss_that_was_logged(tmp_path):
    rows = trained(tmp_path / "run", *STILL, "train.select=loss")
    captioner = load_folder(tmp_path / "run")
    records = [record for record in build(captioner.recipe, "data") if record.split == "val"]
    found = Validation(open_source(records, captioner.encoder), captioner).measure()
    assert found["val_loss"] == min(row["val_loss"] for row in rows) == -state(tmp_path / "run")["best"]


def test_validation_is_greedy_with_the_lengths_of_the_recipes_decoding(tmp_path, monkeypatch):
    asked = {}

    def describe(*arguments, **decode):
        asked.update(decode)
        return describe_all(*arguments, **decode)

    monkeypatch.setattr(validation, "describe_all", describe)
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.max_steps=1", "decode.min_length=3")
    assert asked == {"name": "greedy", "max_length": 12, "min_length": 3, "no_repeat_ngram_size": 0}


def test_without_validation_photos_the_last_weights_count(tmp_path):
    run = tmp_path / "run"
    said = train_small(run, *STILL, *ONE_STEP, "data.val_images=0", "train.patience=1")
    assert "no captioned validation photos" in said.splitlines()[0]
    assert (run / "model.safetensors").read_bytes() == (run / "last" / "model.safetensors").read_bytes()
    assert [set(row) for row in read_log(run)] == [{"step", "epoch", "loss", "lr", "captions_per_second"}] * 2


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
    with pytest.raises(InputError, match=r"not finite at step \d+; lower train.lr \(now 1e\+30\)$"):
        train_small(tmp_path / "run", *STILL, "train.lr=1e30", "train.warmup_steps=0")


def test_an_unreadable_photo_is_left_out_before_training(tmp_path):
    overrides = write_karpathy(tmp_path / "data")
    photo = sorted((tmp_path / "data" / "images").iterdir())[0]
    photo.write_bytes(photo.read_bytes()[:100])
    said = train_small(tmp_path / "run", *overrides)
    wanted = f"1 of 4 training photos cannot be read: 1 truncated (first: {photo.name}); skipped"
    assert wanted in " ".join(said.split())
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_options_without_effect_are_told(tmp_path):
    options = ["loss=self_critical", "loss.samples=2", "train.captions_per_image=3"]
    said = train_small(tmp_path / "run", *FROZEN, *options, "train.milestones=[1]", "train.pretrained_lr=1e-4")
    assert "train.captions_per_image=3 has no effect, because loss is self_critical" in said
    assert "train.milestones=[1] has no effect, because train.schedule is cosine" in said
    said = train_small(
        tmp_path / "other", *FROZEN, "loss.teacher_share=0.3", "loss.truth=0.5", "train.pretrained_lr=1e-4"
    )
    assert "loss.teacher_share=0.3 has no effect, because there is no loss.teacher" in said
    assert "loss.truth=0.5 has no effect, because loss.scheduled_sampling is none" in said
    assert "train.pretrained_lr=0.0001 has no effect, because no pretrained part trains" in said


def test_a_split_of_which_no_photo_can_be_read_is_named(tmp_path):
    overrides = write_karpathy(tmp_path / "data")
    for photo in (tmp_path / "data" / "images").glob("val-*"):
        photo.write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"^2 of 2 validation photos cannot be read: 2 not an image"):
        train_small(tmp_path / "run", *overrides)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_caption_that_is_too_long_for_the_decoder_is_refused_before_a_step(tmp_path, split):
    overrides = write_karpathy(tmp_path / "data")
    source = tmp_path / "data" / "dataset_small.json"
    content = json.loads(source.read_text())
    next(image for image in content["images"] if image["split"] == split)["sentences"][1] = {"raw": "a star " * 20}
    source.write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", *overrides, "decoder.max_length=40")
    assert (error.value.key, error.value.value) == ("decoder.max_length", 40)
    assert "41 tokens with its bos" in str(error.value) and "use decoder.max_length=41" in str(error.value)
    assert not (tmp_path / "run").exists()
    train_small(tmp_path / "run", *overrides, "decoder.max_length=41", "train.max_steps=1")


@pytest.mark.parametrize("encoder", [[], FROZEN], ids=["trained", "frozen"])
def test_regions_that_do_not_fit_the_grid_leave_no_folder_behind(tmp_path, encoder):
    topdown = [*encoder, "decoder=topdown", "decoder.dim=8", "train.max_steps=1"]
    with pytest.raises(RecipeError, match=r"^decoder.regions is 10; .*set decoder.regions=\d+, ") as told:
        train_small(tmp_path / "run", *topdown)
    assert not (tmp_path / "run").exists()
    count = str(told.value).split("decoder.regions=")[1].split(",")[0]
    train_small(tmp_path / "run", *topdown, f"decoder.regions={count}")


def test_data_without_captions_to_train_on_is_refused(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "run", "data=folder", f"data.root={tmp_path}")
    assert (error.value.key, error.value.value) == ("data.name", "folder") and "no captioned" in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        train_small(tmp_path / "file" / "run", *FROZEN)
    told = f"--run {tmp_path}/file/run cannot be made: {tmp_path}/file is not a folder; name another"
    assert str(error.value) == told


def test_tensorboard_is_written_where_asked(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = trained(tmp_path / "run", *STILL, *ONE_STEP, "train.tensorboard=true")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.value for event in events.Scalars("val_loss")] == pytest.approx([row["val_loss"] for row in rows])


@pytest.mark.parametrize(
    ("option", "module", "told"),
    [
        ("train.wandb=offline", "wandb", "train.wandb is 'offline'; it needs: pip install 'showtell[wandb]'"),
        (
            "train.tensorboard=true",
            "torch.utils.tensorboard",
            "train.tensorboard is true; it needs: pip install 'showtell[tensorboard]'",
        ),
    ],
)
def test_a_missing_extra_is_told_before_anything_is_made(tmp_path, monkeypatch, option, module, told):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RecipeError) as error:
        train_small(tmp_path / "run", *STILL, option)
    assert str(error.value) == told
    assert not (tmp_path / "run").exists()


def test_a_thread_that_is_not_the_main_one_trains_too(tmp_path):
    """Signals are then somebody else's."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(train_small, tmp_path / "run", *STILL, *ONE_STEP, "train.max_steps=1").result()
    assert state(tmp_path / "run")["finished"]


def test_numbers_too_small_for_a_normal_float_are_zero_while_it_trains_and_no_longer(tmp_path, monkeypatch):
    """A CPU takes many times as long for them."""
    small, step, found = torch.tensor([1e-30]), Job.step, []
    monkeypatch.setattr(Job, "step", lambda job: (found.append(float(small * 1e-10)), step(job))[1])
    trained(tmp_path / "run", *STILL, *ONE_STEP, "train.epochs=1")
    assert found == [0.0]
    assert float(small * 1e-10) > 0


@pytest.mark.parametrize("decoder", [["decoder.sees=pooled"], ["decoder=recurrent"]], ids=" ".join)
def test_a_decoder_without_attention_cannot_even_it_out(tmp_path, monkeypatch, capsys, decoder):
    monkeypatch.setattr("showtell.training.setup._sources", lambda *a: pytest.fail("photos were encoded"))
    run = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["showtell", "train", "scenes", *decoder, "loss.attend_all=1", "--run", str(run)])
    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and not run.exists()
    assert said.startswith("error: loss.attend_all is 1.0") and "decoder=attend" in said


def old(run):
    """A run as Showtell 0.1 left it: no version, and the loss among the options of `train`."""
    recipe = {k: v for k, v in yaml.safe_load((run / "recipe.yaml").read_text()).items() if k != "showtell"}
    loss = recipe.pop("loss")
    recipe["train"] |= {"loss": loss.pop("name"), "samples": 5, "reward": None, "baseline": "mean"} | loss
    recipe["train"].pop("labels")
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))


def test_a_run_of_0_1_is_refused_with_the_line_that_trains_it_anew(tmp_path, cnn_run, capsys, monkeypatch):
    run = shutil.copytree(cnn_run, tmp_path / "my run")
    old(run)
    for words in (["caption", "x.jpg", "--model"], ["evaluate"], ["train", "scenes", "--resume", "--run"]):
        monkeypatch.setattr("sys.argv", ["showtell", *words, str(run)])
        (tmp_path / "x.jpg").touch()
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr().err
        assert stopped.value.code == 2 and "0.1" in said
    line = shlex.split(said.partition(": showtell ")[2])
    monkeypatch.setattr("sys.argv", ["showtell", *line, "train.max_steps=1"])
    with pytest.raises(SystemExit, match=r"^0$"):
        main()
    assert showtell.load(f"{run}-anew").recipe["loss"] == showtell.load(cnn_run).recipe["loss"]


def made_anew(run, monkeypatch):
    """Run the commands that the refusal of a run of 0.1 prints, each training for one step."""
    with pytest.raises(InputError) as caught:
        showtell.load(run)
    for line in caught.value.advice.removeprefix("train it again: ").split(" && "):
        words = shlex.split(line)
        few = ["train.max_steps=1"] if words[1] == "train" else []
        monkeypatch.setattr("sys.argv", [*words, *few])
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
    return showtell.load(f"{run}-anew")


def test_a_run_of_0_1_that_began_with_another_is_made_anew_after_that_one(tmp_path, cnn_run, monkeypatch):
    first, second = (shutil.copytree(cnn_run, tmp_path / name) for name in ("first", "second"))
    old(first)
    old(second)
    recipe = yaml.safe_load((second / "recipe.yaml").read_text())
    recipe["train"]["start"] = str(first)
    (second / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert made_anew(second, monkeypatch).recipe["train"]["start"] == f"{first}-anew"


def test_an_ensemble_of_0_1_is_made_anew_of_its_members(tmp_path, cnn_run, monkeypatch):
    for name in ("1", "2"):
        old(shutil.copytree(cnn_run, tmp_path / "both" / "members" / name))
    recipe = {"captioner": {"name": "ensemble", "members": ["members/1", "members/2"]}}
    (tmp_path / "both" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert len(made_anew(tmp_path / "both", monkeypatch).members) == 2
