"""Run folders and files -> a comparison: references from the runs' own data, and what is no such thing refused."""

import io
import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from showtell import checkpoint
from showtell.cli import app
from showtell.metrics.clipscore import LIBRARIES
from showtell.plumbing.errors import InputError, RecipeError
from showtell.report.runs.read import read_runs
from showtell.scoring.compare import compare_runs, named_runs, to_json
from showtell.scoring.evaluate import evaluate_run
from tests.small import write_karpathy


@pytest.fixture
def runs(frozen_run, tmp_path):
    """Two runs that were evaluated: one by beam search, one that stops early."""
    found = [shutil.copytree(frozen_run, tmp_path / name) for name in ("beam", "short")]
    return found, [evaluate_run(found[0], "val"), evaluate_run(found[1], "val", ["decode.max_length=4"])]


def write(path, content):
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_two_runs_are_compared_on_what_evaluate_wrote(runs):
    folders, scores = runs
    found = compare_runs(folders)
    for name, wanted in zip(("beam", "short"), scores, strict=True):
        for metric, score in found.scores[name].items():
            assert (score.value, score.per_image) == (wanted[metric].value, wanted[metric].per_image)
        assert found.sources[name]["captions"] == str(folders[0].parent / name / "captions-val.json")
        assert found.sources[name]["evaluated"] == wanted["BLEU-1"].signature.partition("|")[2]
    assert "max_length=4" in found.sources["short"]["evaluated"]
    assert found.photos.keys() == found.references.keys() and all(path.is_file() for path in found.photos.values())
    assert found.left_out == ()


def test_files_beside_references_are_compared_too(runs, tmp_path):
    (beam, short), _ = runs
    wanted = compare_runs([beam, short], metrics="standard")
    references = write(tmp_path / "references.json", wanted.references)
    theirs = shutil.copy(short / "captions-val.json", tmp_path / "theirs.json")
    found = compare_runs([beam, theirs], references=references, metrics="standard")
    assert list(found.candidates) == ["beam", "theirs"] and found.photos == {}
    assert [each["theirs"] for each in found.differences.values()] == [
        each["short"] for each in wanted.differences.values()
    ]


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    (beam, _), _ = runs
    other = tmp_path / "elsewhere" / beam.name
    assert list(named_runs([beam, other])) == [str(beam), str(other)]


def test_a_run_is_not_compared_with_itself(runs, tmp_path):
    (beam, short), _ = runs
    (tmp_path / "link").symlink_to(beam)
    for same in (beam, f"{beam}/", beam / ".." / beam.name, tmp_path / "link"):
        for ask in (compare_runs, read_runs):
            with pytest.raises(InputError, match="twice"):
                ask([beam, short, Path(same)])


@pytest.mark.slow
def test_other_data_may_be_named(runs, tmp_path):
    folders, _ = runs
    overrides = write_karpathy(tmp_path / "data")
    for run in folders:
        evaluate_run(run, "val", overrides)
        assert len(json.loads((run / "captions-val.json").read_text())) == 2
    assert len(compare_runs(folders, "val", overrides).references) == 2


def test_json_has_everything(runs, tmp_path):
    folders, _ = runs
    found = compare_runs(folders, metrics="BLEU-1,CIDEr-D", resamples=50, seed=3)
    content = json.loads(json.dumps(to_json(found)))
    assert (content["first"], content["resamples"], content["seed"], content["images"]) == ("beam", 50, 3, 6)
    assert "50 resamples" in content["method"] and list(content["runs"]) == ["beam", "short"]
    for name in ("BLEU-1", "CIDEr-D"):
        entry, difference = content["metrics"][name], found.differences[name]["short"]
        assert entry["signature"].startswith(name + "|")
        assert entry["values"] == {run: scores[name].value for run, scores in found.scores.items()}
        assert entry["intervals"]["beam"] == list(found.scores["beam"][name].interval)
        kept = entry["differences"]["short"]
        assert kept.pop("interval") == list(difference.interval)
        assert kept == {key: getattr(difference, key) for key in kept}
        assert {"value", "p_bootstrap", "p_randomization", "p", "verdict", "exact"} == kept.keys()
    image_id = next(iter(found.references))
    assert content["per_image"][image_id]["short"] == {
        name: score.per_image[image_id] for name, score in found.scores["short"].items()
    }


def refused(*arguments, **options):
    with pytest.raises((InputError, RecipeError)) as error:
        compare_runs(*arguments, **options)
    return str(error.value)


def test_a_run_that_was_not_evaluated_is_told_the_command(runs):
    (beam, short), _ = runs
    told = refused([beam, short], "test")
    assert told.startswith(f"{beam} has no captions-test.json; ")
    assert f"`showtell evaluate {beam} --split test`" in told


def test_runs_on_other_references_are_refused(runs):
    (beam, short), _ = runs
    recipe = checkpoint.read_recipe(short)
    recipe["data"]["seed"] = 7  # other scenes of the same names
    checkpoint.write_recipe(short, recipe)
    assert re.fullmatch(
        r"beam and short have different references for \d of 6 images \(first: val-0000\d.png\); .*--references FILE.*",
        refused([beam, short]),
    )


def test_what_is_no_run_and_no_file_is_refused(runs, tmp_path):
    (beam, short), _ = runs
    file = beam / "captions-val.json"
    (tmp_path / "empty").mkdir()
    other = write(tmp_path / "other.json", {"x.jpg": ["a dog"]})
    for words, options, told in [
        ([], {}, "there is nothing to compare with; name two runs"),
        ([beam], {}, "there is nothing to compare with; name two runs"),
        ([beam, tmp_path / "none"], {}, f"{tmp_path / 'none'} does not exist; compare takes run folders, or "),
        ([beam, tmp_path / "empty"], {}, f"{tmp_path / 'empty'} is not a run: it has no recipe.yaml"),
        ([beam, file], {}, f"{file} is a file of captions; give the human captions of its images with --references "),
        ([beam, short], {"references": other}, "no image has references and a caption of every run: 6 without referen"),
        ([beam, short], {"metrics": "CIDR"}, "'CIDR' is not a metric; there are "),
        (
            [beam, short],
            {"overrides": ["decode.num_beams=3"]},
            "decode.num_beams=3 cannot be changed here; compare changes only data, evaluate.words, evaluate.clip, ",
        ),
        ([beam, short], {"photos": tmp_path}, f"--photos {tmp_path} works only with --references; remove it"),
        (
            [beam, short],
            {"overrides": ["data.root=x"], "references": other},
            "data.root=x and --references both choose the references; give only one",
        ),
    ]:
        assert refused(words, **options).startswith(told)


def test_scores_that_cannot_be_read_leave_only_their_protocol_unknown(runs):
    (beam, short), _ = runs
    for content in ("{", "[]", '{"scores": {}}', '{"scores": [3]}'):
        (short / "scores-val.json").write_text(content)
        assert compare_runs([beam, short], metrics="BLEU-1").sources["short"]["evaluated"] == ""


def test_captions_that_changed_since_they_were_scored_are_refused_before_any_work(runs, tmp_path, monkeypatch):
    (beam, short), _ = runs
    references = write(tmp_path / "references.json", compare_runs([beam, short], metrics="BLEU-1").references)
    captions = json.loads((short / "captions-val.json").read_text())
    captions[next(iter(captions))] = "a dog"
    whole = (short / "captions-val.json").read_bytes()
    write(short / "captions-val.json", captions)
    with monkeypatch.context() as patch:
        patch.setattr("showtell.scoring.compare.compare", None)
        for options in ({}, {"references": references}):
            assert "showtell evaluate" in refused([beam, short], **options)
            assert "captions-val.json" in refused([short, beam], **options)
    theirs = shutil.copy(short / "captions-val.json", tmp_path / "mine.json")  # a file of its own has no scores
    assert compare_runs([beam, theirs], references=references, metrics="BLEU-1").sources["mine"]["evaluated"] == ""
    (short / "captions-val.json").write_bytes(whole)
    assert compare_runs([beam, short], metrics="BLEU-1").sources["short"]["evaluated"] != ""


def test_scores_that_are_newer_than_their_captions_are_refused_too(runs):
    """As after a kill between the two files, or if one of them was copied from another run."""
    (beam, short), _ = runs
    shutil.copy(beam / "scores-val.json", short / "scores-val.json")
    assert "showtell evaluate" in refused([beam, short], metrics="BLEU-1")


def test_quick_work_shows_no_bar(runs):
    folders, _ = runs
    console = Console(file=io.StringIO(), width=200)
    compare_runs(folders, metrics="BLEU-1", console=console)
    assert console.file.getvalue() == ""


@pytest.mark.slow
def test_the_command_prints_and_leaves_a_page(runs, tmp_path):
    folders, _ = runs
    page = tmp_path / "deep/page.html"
    words = ["compare", *map(str, folders), "--metrics", "BLEU-4", "--resamples", "20", "--out", str(page)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0 and "short against beam" in result.stdout and "20 resamples" in result.stdout
    assert result.stdout.endswith(f"written: {page}\n") and "Captions compared" in page.read_text("utf-8")
    with pytest.raises(InputError, match=r"^--out is 'page.txt'; it takes a name that ends in .html or .json$"):
        CliRunner().invoke(app, ["compare", "none", "--out", "page.txt"], catch_exceptions=False)


def test_photos_beside_references_are_shown(runs, tmp_path):
    folders, _ = runs
    wanted = compare_runs(folders, metrics="BLEU-1")
    references = write(tmp_path / "references.json", wanted.references)
    beside = next(iter(wanted.photos.values())).parent
    found = compare_runs(folders, references=references, photos=beside, metrics="BLEU-1")
    assert {image_id: path.name for image_id, path in found.photos.items()} == {i: i for i in wanted.references}


@pytest.mark.skipif(not any(map(find_spec, LIBRARIES)), reason="needs transformers or open_clip")
def test_a_metric_that_looks_at_photos_gets_its_model(runs, tmp_path, monkeypatch):
    """Of the same weights for all runs; the overrides say which, or the first run's recipe does."""
    asked = []

    def noted(self, photos):
        asked.append((self.model, self.protocol_name, len(photos)))
        raise InputError("stop")

    monkeypatch.setattr("showtell.clip.Clip.embed_photos", noted)
    folders, _ = runs
    changes = ["evaluate.clip=mine", "evaluate.clip_protocol=taipei"]
    assert refused(folders, "val", changes, metrics="CLIPScore") == "stop"
    references = write(tmp_path / "references.json", compare_runs(folders, metrics="BLEU-1").references)
    assert refused(folders, "val", changes, references, metrics="CLIPScore").startswith("CLIPScore needs the photos")
    assert asked == [("mine", "taipei", 6)]
