"""What `--resume` refuses to go on with: no run, other settings, photos, captions, words or weights."""

import json
import shutil

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from showtell import checkpoint
from showtell.plumbing.errors import InputError
from showtell.training import setup
from showtell.training.resume import check_same
from tests.small import FROZEN, small_recipe, train_small, write_karpathy
from tests.training.killed import ACCUMULATED, killed


def test_there_is_nothing_to_resume_in_a_run_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"typo does not exist.*without --resume"):
        train_small(tmp_path / "typo", *ACCUMULATED, resume=True)
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("name", ["scores-val.json", "model.safetensors", "last", "last.new", "thesis.txt"])
def test_a_folder_with_a_run_or_somebodys_files_is_refused_without_resume(tmp_path, name):
    (tmp_path / "recipe.yaml").write_text("data: {}")
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError) as error:
        train_small(tmp_path)
    assert str(error.value).startswith(f"{tmp_path} exists; ")
    assert "with --resume" in error.value.advice and "another folder with --run" in error.value.advice
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["recipe.yaml", name])
    assert (tmp_path / name).read_text() == "mine"


def test_there_is_nothing_to_resume_in_a_folder_with_other_files(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"has no checkpoint.*the folder of a run with --run"):
        train_small(tmp_path, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused_as_a_run(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match=f"^{tmp_path}/run is a file; .* folder with --run$"):
        train_small(tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("train.lr=0.02", "train.lr=0.01, not 0.02"),
        ("encoder.image_size=96", "encoder.image_size=64, not 96"),
        ("decoder=recurrent", "decoder.name=transformer, not recurrent"),
        ("train.epochs=3", "train.epochs=2, not 3"),
    ],
)
def test_another_setting_is_refused_by_name(frozen_run, changed, told):
    with pytest.raises(InputError) as error:
        train_small(frozen_run, *ACCUMULATED, changed, resume=True)
    assert str(error.value).startswith(f"{frozen_run} was trained with {told}; resume with ")


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_only_the_length_of_a_training_may_grow_and_only_if_no_rate_depends_on_it(tmp_path, schedule):
    chosen = f"train.schedule={schedule}"
    checkpoint.write_recipe(tmp_path, small_recipe(chosen))
    refused = ["train.lr=0.02", "train.epochs=1"]
    if schedule == "constant":
        check_same(small_recipe(chosen, "train.epochs=3"), tmp_path)
    else:
        refused.append("train.epochs=3")
    for changed in refused:
        with pytest.raises(InputError, match="was trained with "):
            check_same(small_recipe(chosen, changed), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["karpathy", "join"])
def test_data_that_moved_goes_on_to_the_same_end(tmp_path, monkeypatch, form):
    """The photos lie elsewhere, on another machine for example."""
    write_karpathy(tmp_path / "data")
    key, fixed = {"karpathy": ("data.root={}", "data=karpathy"), "join": ("data.sets=[{}]", "data=join")}[form]
    overrides = [fixed, *FROZEN, "train.save_every=1"]
    train_small(tmp_path / "whole", *overrides, key.format(tmp_path / "data"))
    killed(tmp_path / "run", [*overrides, key.format(tmp_path / "data")], "Job.step", 2)
    (tmp_path / "moved").mkdir()
    (tmp_path / "data").rename(tmp_path / "moved/data")
    monkeypatch.chdir(tmp_path)
    assert "resuming" in train_small(tmp_path / "run", *overrides, key.format("moved/data"), resume=True)
    ends = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run")]
    assert ends[0].keys() == ends[1].keys() and all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.slow
def test_other_photos_in_another_place_are_refused(tmp_path):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    killed(tmp_path / "run", overrides, "Job.step", 2)
    write_karpathy(tmp_path / "other")
    first, second, *_ = sorted((tmp_path / "other/images").iterdir())
    first.write_bytes(second.read_bytes())
    with pytest.raises(InputError, match=r"^the photos or their features have changed since .*restore the old"):
        train_small(tmp_path / "run", *overrides, f"data.root={tmp_path}/other", resume=True)
    with pytest.raises(InputError, match="a folder that exists"):
        train_small(tmp_path / "run", *overrides, f"data.root={tmp_path}/nowhere", resume=True)


def test_other_captions_than_before_are_refused(tmp_path, monkeypatch):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    run, source = tmp_path / "run", tmp_path / "data" / "dataset_small.json"
    killed(run, overrides, "Job.step", 2)
    source.write_text(source.read_text().replace("star", "sun").replace("circle", "sun"))
    with pytest.raises(InputError) as error:
        train_small(run, *overrides, resume=True)
    assert str(error.value) == (
        f"the captions and the words that the tokenizer makes of captions have changed since {run} was trained with "
        "them; restore the old ones, or train again into another folder with --run"
    )


def test_another_tokenizer_than_before_is_refused(tmp_path):
    """Two words change places: as many words, and each id means another."""
    run = tmp_path / "run"
    killed(run, [*ACCUMULATED, "train.save_every=1"], "Job.step", 3)
    content = json.loads((run / "tokenizer.json").read_text())
    content["words"][0], content["words"][1] = content["words"][1], content["words"][0]
    (run / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"^the words that the tokenizer .*restore the old"):
        train_small(run, *ACCUMULATED, "train.save_every=1", resume=True)


@pytest.mark.slow
def test_another_teacher_than_before_is_refused(tmp_path, frozen_run):
    teacher, run = shutil.copytree(frozen_run, tmp_path / "teacher"), tmp_path / "run"
    overrides = [*ACCUMULATED, "train.save_every=1", f"loss.teacher={teacher}"]
    killed(run, overrides, "Job.step", 3)
    tensors = checkpoint.read_tensors(teacher / "model.safetensors")
    name = next(name for name in tensors if tensors[name].is_floating_point())
    checkpoint.write_tensors(teacher / "model.safetensors", tensors | {name: tensors[name] * 1.5})
    with pytest.raises(InputError, match=r"^the weights of its pretrained parts have changed"):
        train_small(run, *overrides, resume=True)
    checkpoint.write_tensors(teacher / "model.safetensors", tensors)
    assert "resuming" in train_small(run, *overrides, resume=True)


@pytest.mark.slow
def test_other_weights_of_a_frozen_encoder_than_before_are_refused(tmp_path, monkeypatch):
    """As where `encoder.weights=FILE` is another file by now, or a hub has other weights of that name."""
    run, overrides = tmp_path / "run", [*ACCUMULATED, "train.save_every=1"]
    killed(run, overrides, "Job.step", 3)
    built = setup.build_encoder

    def other(recipe):
        encoder = built(recipe)
        with torch.no_grad():
            next(encoder.parameters()).mul_(0.5)
        return encoder

    monkeypatch.setattr(setup, "build_encoder", other)
    with pytest.raises(InputError, match=r"^the weights of its pretrained parts have changed"):
        train_small(run, *overrides, resume=True)


@pytest.mark.parametrize("split", ["train", "val"])
def test_other_photos_than_before_are_refused(tmp_path, split):
    overrides = [*write_karpathy(tmp_path / "data"), *FROZEN, "train.save_every=1"]
    killed(tmp_path / "run", overrides, "Job.step", 2)
    images = json.loads((tmp_path / "data" / "dataset_small.json").read_text())["images"]
    name = next(image["filename"] for image in images if image["split"] == split)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "data" / "images" / name)
    with pytest.raises(InputError, match=r"^the photos or their features have changed.*restore the old"):
        train_small(tmp_path / "run", *overrides, resume=True)
