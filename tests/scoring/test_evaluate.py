"""Scores of a run: their form, their signatures, and what is refused."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from showtell import checkpoint
from showtell.cli import app
from showtell.loading import PLACES
from showtell.plumbing.errors import InputError, RecipeError
from showtell.predict.captions import describe_all
from showtell.recipe.build import build
from showtell.recipe.check import check
from showtell.scoring.compare import compare_runs
from showtell.scoring.evaluate import evaluate_run
from showtell.scoring.files import score_files
from tests.small import RECIPE, train_small, write_karpathy

NAMES = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D"]


def read(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def run(frozen_run, tmp_path):
    return shutil.copytree(frozen_run, tmp_path / "run")


def test_scores_are_written_in_the_form_that_is_promised(run):
    scores = evaluate_run(run, "val")
    content = read(run / "scores-val.json")
    assert list(content) == ["scores", "per_image", "captions", "made"]
    assert content["made"]["model"] == str(run) and content["made"]["version"]
    assert list(content["scores"]) == list(scores) and set(NAMES) | {"CHAIRs", "copied"} <= set(scores)
    for name, entry in content["scores"].items():
        assert list(entry) == ["value", "interval", "signature"]
        assert entry["value"] == scores[name].value
        low, high = entry["interval"] or (entry["value"], entry["value"])
        assert low <= entry["value"] <= high and isinstance(entry["signature"], str)
    images = [f"val-{number:05}.png" for number in range(6)]
    assert list(content["per_image"]) == images
    for image_id in images:
        assert content["per_image"][image_id] == {name: scores[name].per_image[image_id] for name in scores}
    assert scores["CIDEr-D"].value == pytest.approx(sum(scores["CIDEr-D"].per_image.values()) / 6)


def test_the_captions_that_were_scored_stand_beside_the_scores(run):
    scores = evaluate_run(run, "val")
    captions = read(run / "captions-val.json")
    assert list(captions) == [f"val-{number:05}.png" for number in range(6)]
    references = {r.image_id: list(r.references) for r in records_of("val")}
    (run / "references.json").write_text(json.dumps(references))
    trained = {r.image_id: list(r.references) for r in records_of("train")}
    (run / "training.json").write_text(json.dumps(trained))
    again = score_files(run / "captions-val.json", run / "references.json", training=run / "training.json")
    assert {name: score.value for name, score in again.items()} == {name: score.value for name, score in scores.items()}


def records_of(split):
    from showtell.data.scenes.scenes import scenes

    return [r for r in scenes(**{k: v for k, v in RECIPE["data"].items() if k != "name"}) if r.split == split]


def test_a_signature_says_data_split_decoding_and_seed(run):
    signature = evaluate_run(run, "test", ["decode.num_beams=3"])["CIDEr-D"].signature.split("|")
    settings = checkpoint.read_recipe(run)["decode"] | {"num_beams": 3}
    decode = ",".join(f"{key}={value}" for key, value in settings.items() if key != "name" and value != [])
    assert signature[0] == "CIDEr-D" and signature[1].startswith("showtell ")
    assert {"images 6", "references 5", "data scenes", "split test", "seed 0"} <= set(signature)
    assert f"beam({decode})" in signature and "num_beams=3,length_penalty=" in decode


def test_a_split_that_chose_the_epoch_says_so(run):
    signature = evaluate_run(run, "val")["BLEU-4"].signature.split("|")
    assert "split val (chose the epoch by CIDEr-D)" in signature


def test_decoding_and_metrics_may_be_changed(run):
    scores = evaluate_run(run, "val", ["decode=greedy", "decode.max_length=4", "evaluate.metrics=[ROUGE-L, bleu-1]"])
    assert list(scores) == ["ROUGE-L", "BLEU-1"]
    assert "|greedy(max_length=4," in scores["BLEU-1"].signature
    assert max(len(text.split()) for text in read(run / "captions-val.json").values()) <= 3


def test_other_data_may_be_scored_with_a_run(run, tmp_path):
    overrides = write_karpathy(tmp_path / "data")
    scores = evaluate_run(run, "val", overrides)
    assert len(scores["BLEU-1"].per_image) == 2
    assert "|data karpathy|" in scores["BLEU-1"].signature


def copied_by(signature):
    return next(part for part in signature.split("|") if part.endswith("different training captions"))


@pytest.mark.slow
def test_copies_are_those_of_the_captions_that_the_run_was_trained_on(run, tmp_path):
    own = copied_by(evaluate_run(run, "val")["copied"].signature)
    overrides, said = write_karpathy(tmp_path / "data"), io.StringIO()
    assert copied_by(evaluate_run(run, "val", overrides)["copied"].signature) == own
    recipe = checkpoint.read_recipe(run)
    recipe["data"] = {"name": "karpathy", "root": str(tmp_path / "gone")}
    checkpoint.write_recipe(run, recipe)
    there = evaluate_run(run, "val", overrides, Console(file=said, width=400))["copied"].signature
    assert copied_by(there) != own and "the run's own data is not here" in said.getvalue()


@pytest.mark.slow
def test_the_runs_own_data_is_read_for_copies_alone_and_may_be_anywhere(run, tmp_path, monkeypatch):
    import showtell.scoring.evaluate

    def build(recipe, section):
        if recipe["data"]["name"] == "scenes":
            raise PermissionError(13, "Permission denied")
        return original(recipe, section)

    original, said = showtell.scoring.evaluate.build, io.StringIO()
    monkeypatch.setattr(showtell.scoring.evaluate, "build", build)
    overrides = write_karpathy(tmp_path / "data")
    assert evaluate_run(run, "val", overrides)["copied"].value >= 0
    evaluate_run(run, "val", [*overrides, "evaluate.metrics=[BLEU-1]"], Console(file=said, width=400))
    assert "own data" not in said.getvalue()


def test_the_recipe_of_the_run_stays_as_it_is(run):
    before = (run / "recipe.yaml").read_bytes()
    evaluate_run(run, "val", ["decode.num_beams=1"])
    assert (run / "recipe.yaml").read_bytes() == before


@pytest.mark.slow
def test_what_is_found_may_go_into_a_folder_of_its_own_that_compare_takes(run, tmp_path):
    evaluate_run(run, "val")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    out = tmp_path / "some/greedy"
    scores = evaluate_run(run, "val", ["decode=greedy"], out=out)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == ["captions-val.json", "recipe.yaml", "scores-val.json"]
    assert checkpoint.read_recipe(out)["decode"]["name"] == "greedy"
    found = compare_runs([run, out], metrics=["CIDEr-D"])
    assert found.scores["greedy"]["CIDEr-D"].value == scores["CIDEr-D"].value
    evaluate_run(run, "val", ["decode=greedy"], out=out)  # again


@pytest.mark.slow
def test_a_packaged_model_is_scored_into_a_folder_and_a_folder_of_its_name_is_a_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = write_karpathy(tmp_path / "data")
    evaluate_run(Path("tiny"), "val", overrides, out=tmp_path / "scored")
    packaged = read(tmp_path / "scored" / "captions-val.json")
    shutil.copytree(run, "tiny")
    for each in (Path("tiny"), run):
        evaluate_run(each, "val", overrides)
    assert read(tmp_path / "tiny" / "captions-val.json") == read(run / "captions-val.json") != packaged


def test_what_is_found_never_goes_into_another_run(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    with pytest.raises(InputError, match=f"^--out {re.escape(str(other))} is a run folder; name another folder$"):
        evaluate_run(run, "val", out=other)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"^--out {re.escape(str(tmp_path))}/file is not a folder; name another$"):
        evaluate_run(run, "val", out=tmp_path / "file")


@pytest.mark.parametrize("item", ["train.lr=1", "encoder=lite", "encoder.image_size=32", "tokenizer.min_count=2"])
def test_what_made_the_weights_may_not_be_changed(frozen_run, item):
    with pytest.raises(RecipeError) as error:
        evaluate_run(frozen_run, "val", [item])
    assert str(error.value).startswith(f"{item} cannot be changed here; evaluate changes only data, decode, evaluate, ")
    assert {"captioner.views", *PLACES, "train.device", "train.precision"} <= set(error.value.takes)


def test_an_option_without_its_section_is_told_with_it(frozen_run):
    with pytest.raises(RecipeError) as error:
        evaluate_run(frozen_run, "val", ["num_beams=3"])
    assert error.value.near == "decode.num_beams"


def test_a_word_that_the_model_cannot_say_is_told_before_anything_is_made(frozen_run, tmp_path, monkeypatch):
    monkeypatch.setattr("showtell.predict.captions.open_source", lambda *a, **k: pytest.fail("photos were read"))
    with pytest.raises(RecipeError, match=r"^decode.must has 'nosuch', but 'nosuch' is not in .*vocabulary"):
        evaluate_run(frozen_run, "val", ["decode.must=[nosuch]"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_features_that_were_moved_are_found_where_the_user_says(tmp_path):
    records = build(check(RECIPE), "data")
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", **{record.image_id: generator.standard_normal((3, 5)) for record in records})
    regions = ["encoder=lite", "regions=precomputed", f"regions.file={tmp_path / 'f.npz'}", "decoder.sees=pooled"]
    train_small(tmp_path / "run", *regions, "train.max_steps=2")
    before = evaluate_run(tmp_path / "run", "val")["CIDEr-D"].value
    (tmp_path / "f.npz").rename(tmp_path / "g.npz")
    with pytest.raises(InputError, match="there is no such file"):
        evaluate_run(tmp_path / "run", "val")
    assert evaluate_run(tmp_path / "run", "val", [f"regions.file={tmp_path / 'g.npz'}"])["CIDEr-D"].value == before
    words = ["caption", str(records[0].path), "--model", str(tmp_path / "run"), f"regions.file={tmp_path / 'g.npz'}"]
    assert "so it cannot encode other photos" in str(CliRunner().invoke(app, words).exception)


def on_a_gpu(run):
    recipe = checkpoint.read_recipe(run)
    recipe["train"] |= {"device": "cuda:77", "precision": "bf16"}
    checkpoint.write_recipe(run, recipe)


@pytest.mark.slow
def test_a_run_of_a_device_that_is_not_here_is_scored_on_what_is(run):
    wanted = evaluate_run(run, "val")["BLEU-4"]
    on_a_gpu(run)
    console = Console(file=io.StringIO(), width=200)
    found = evaluate_run(run, "val", [], console)["BLEU-4"]
    assert (found.value, found.signature) == (wanted.value, wanted.signature)
    line = console.file.getvalue()
    assert "train.device" in line and "cuda:77" in line and line.endswith("scoring on cpu\n")
    assert evaluate_run(run, "val", ["train.device=cpu"])["BLEU-4"].value == wanted.value
    with pytest.raises(InputError, match=r"^train.device is 'cuda:77': .*; cpu always works$"):
        evaluate_run(run, "val", ["train.device=cuda:77"])


@pytest.mark.slow
def test_scores_are_computed_in_fp32_unless_asked_otherwise(run, monkeypatch):
    seen = []

    def noted(*arguments, **options):
        seen.append(torch.is_autocast_enabled("cpu"))
        return describe_all(*arguments, **options)

    monkeypatch.setattr("showtell.predict.captions.describe_all", noted)
    on_a_gpu(run)
    plain = evaluate_run(run, "val")["BLEU-4"].signature
    half = evaluate_run(run, "val", ["train.precision=bf16"])["BLEU-4"].signature
    assert seen == [False, True]
    assert "precision" not in plain and "|precision bf16" in half


def test_a_split_without_captioned_photos_is_refused(frozen_run):
    with pytest.raises(InputError) as error:
        evaluate_run(frozen_run, "dev")
    assert str(error.value) == "--split is 'dev'; there are captioned photos in test, train, val"


def test_photos_without_captions_cannot_be_scored(frozen_run):
    with pytest.raises(InputError) as error:
        evaluate_run(frozen_run, "test", ["data=folder", f"data.root={records_of('val')[0].path.parent}"])
    assert str(error.value) == "--split is 'test'; there are captioned photos in no split"


def test_an_unknown_metric_is_refused_before_anything_is_captioned(run):
    with pytest.raises(InputError, match=re.escape("'CIDR' is not a metric; there are BLEU-1")):
        evaluate_run(run, "val", ["evaluate.metrics=[CIDR]"])
    assert not (run / "captions-val.json").exists()


def test_what_is_no_run_is_refused(tmp_path):
    for run, told in (
        (tmp_path / "none", "is no folder; evaluate takes a run folder of `showtell train`; with --out FOLDER also "),
        (tmp_path, "is not a run: it has no recipe.yaml"),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(f'{run} {told}')}"):
            evaluate_run(run, "val")


def test_a_run_without_weights_is_refused(run):
    (run / "model.safetensors").unlink()
    with pytest.raises(InputError) as error:
        evaluate_run(run, "val")
    assert str(error.value) == f"{run}/model.safetensors does not exist: {run} is not a trained run"
