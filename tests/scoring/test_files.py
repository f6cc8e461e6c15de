"""Scores of files: which images and metrics are scored, what is refused, and that texts alone do not wait for torch."""

import io
import json
import re
import subprocess
import sys

import pytest
from rich.console import Console

from showtell.metrics.score import to_json
from showtell.plumbing.errors import InputError
from showtell.scoring.files import score_files

STANDARD = {"BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr-D"}


def files(tmp_path, candidates, references):
    for name, content in (("c.json", candidates), ("r.json", references)):
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path / "c.json", tmp_path / "r.json"


def test_references_go_by_the_names_that_the_candidates_have(tmp_path):
    references = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "annotations": [{"image_id": 7, "caption": "a dog"}, {"image_id": 8, "caption": "a cat"}],
    }
    for names in (("7", "8"), ("a.jpg", "b.jpg")):
        said = dict(zip(names, ("a dog", "a cat"), strict=True))
        assert score_files(*files(tmp_path, said, references), ["BLEU-1"])["BLEU-1"].value == pytest.approx(1)


def test_files_are_scored_with_every_metric_or_those_that_are_asked_for(tmp_path):
    paths = files(tmp_path, {"a": "a dog runs", "b": "a cat sits"}, {"a": ["a dog runs"], "b": ["a cat", "a cat sits"]})
    scores = score_files(*paths)
    assert set(scores) >= STANDARD
    assert scores["BLEU-1"].value == pytest.approx(1) and scores["ROUGE-L"].value == pytest.approx(1)
    assert list(score_files(*paths, ["ROUGE-L"])) == ["ROUGE-L"]
    assert "split" not in scores["BLEU-1"].signature
    assert set(to_json(scores)["per_image"]["a"]) == set(scores)


def test_frequencies_of_a_file_change_cider_and_are_said(tmp_path):
    paths = files(tmp_path, {"a": "a dog runs", "b": "a cat"}, {"a": ["a dog runs"], "b": ["a cow"]})
    (tmp_path / "f.json").write_text(json.dumps({"x": ["a dog"], "y": ["a cat"], "z": ["snow"]}))
    plain = score_files(*paths, ["CIDEr"])["CIDEr"]
    found = score_files(*paths, ["CIDEr"], frequencies=tmp_path / "f.json")["CIDEr"]
    assert "|df of 3 given images" in found.signature and "|df evaluated references" in plain.signature
    assert found.per_image["b"] != plain.per_image["b"]


def test_references_without_a_candidate_are_left_out_aloud(tmp_path):
    paths = files(tmp_path, {"a": "a dog"}, {"a": ["a dog"], "b": ["a cat"], "c": ["a cow"]})
    console = Console(file=io.StringIO(), width=200)
    assert score_files(*paths, ["BLEU-1"], console)["BLEU-1"].per_image.keys() == {"a"}
    assert console.file.getvalue() == "2 of 3 images with references have no candidate: skipped\n"


def test_a_candidate_without_references_is_refused(tmp_path):
    paths = files(tmp_path, {"a": "a dog", "b": "a cat"}, {"a": ["a dog"]})
    with pytest.raises(InputError, match=r"^1 of 2 candidates have no references \(first: b\); "):
        score_files(*paths)


def test_files_of_other_images_are_refused(tmp_path):
    candidates, references = files(tmp_path, {"a.jpg": "a dog"}, {"7": ["a dog"]})
    with pytest.raises(InputError) as error:
        score_files(candidates, references)
    told = f"{candidates} and {references} share no image_id (first: 'a.jpg' and '7'); use the same ids"
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("candidates", "references", "told"),
    [
        ({"a": 3}, {"a": ["a dog"]}, "a candidate of a is 3, not text; write a string, '' for no words"),
        ({"a": "a dog"}, {"a": [None]}, "a reference of a is None, not text; write a string, '' for no words"),
        ({"a": "a dog"}, {"a": []}, "1 of 1 images have an empty list of references (first: a); every image needs"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, candidates, references, told):
    with pytest.raises(InputError, match=f"^{re.escape(told)}"):
        score_files(*files(tmp_path, candidates, references))


def loaded_by(code, *words):
    """The modules that a fresh Python has after this."""
    said = f"import sys; sys.argv[1:] = {list(map(str, words))}\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.slow
def test_metrics_are_there_without_torch():
    assert "torch" not in loaded_by("import showtell.metrics, showtell.scoring.files")


@pytest.mark.slow
def test_the_command_scores_texts_without_torch(tmp_path):
    candidates, references = files(tmp_path, {"a": "a dog", "b": "a cat"}, {"a": ["a dog"], "b": ["a cow"]})
    words = ["score", "--candidates", candidates, "--references", references, "--out", tmp_path / "s.json"]
    assert "torch" not in loaded_by("from showtell.cli import app; app(standalone_mode=False)", *words)
    assert set(json.loads((tmp_path / "s.json").read_text())["scores"]) >= STANDARD


def test_a_wrong_protocol_is_told_without_photos_too(tmp_path):
    paths = files(tmp_path, {"a": "a dog"}, {"a": ["a dog"]})
    with pytest.raises(InputError, match=r"^protocol is 'x'; CLIPScore takes paper, taipei"):
        score_files(*paths, ["BLEU-1"], clip_protocol="x")
