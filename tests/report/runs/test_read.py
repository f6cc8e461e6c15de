"""Run folders are read once: which is best, what each folder knows, and what is refused."""

import json
import shutil

import pytest

from showtell.plumbing.errors import InputError
from showtell.report.runs.read import read_run, read_runs
from showtell.scoring.evaluate import evaluate_run


def test_runs_keep_their_order_and_the_best_is_compared_with(found):
    assert found.names == ["frozen", "trained", "greedy", "human"]
    values = {name: found.comparison.scores[name]["CIDEr-D"].value for name in found.names}
    assert found.best == max(values, key=values.get) == found.comparison.first == "human"
    assert found.runs["human"].captioner is None and found.runs["human"].made == {}
    assert found.decides == "CIDEr-D" and found.split == "val" and len(found.image_ids) == 6


def test_the_training_writes_down_who_made_it(found):
    run = found.runs["frozen"]
    assert run.made["version"] and run.made["date"] and 0 < run.made["parameters"]["trained"] < run.parameters["all"]
    assert run.scored["model"] == str(run.folder) and run.scored["captioning_seconds"] > 0
    assert run.seconds > 0 and run.log.curve("loss", "seconds")


def test_a_folder_of_captions_knows_its_weights_and_has_no_second_curve(found, scored):
    greedy = found.runs["greedy"]
    assert greedy.weights == scored.frozen and greedy.parameters == found.runs["frozen"].parameters
    assert greedy.log.rows == () and greedy.captioner is not None
    alone = read_run("greedy", scored.greedy, "val")
    assert alone.log.curve("loss")


def test_parameters_of_older_runs_are_counted(found, scored, tmp_path):
    old = shutil.copytree(scored.trained, tmp_path / "old")
    (old / "made.json").unlink()
    assert read_run("old", old, "val").parameters == found.runs["trained"].parameters


def test_one_run_is_a_report_too(scored):
    found = read_runs([scored.frozen], resamples=50)
    assert found.best == "frozen" and found.comparison.differences.get("CIDEr-D", {}) == {}


@pytest.mark.slow
def test_test_is_reported_before_val_if_all_were_scored_on_it(scored, tmp_path):
    copies = [shutil.copytree(scored.frozen, tmp_path / name) for name in ("a", "b")]
    evaluate_run(copies[0], "test")
    assert read_runs(copies, resamples=10).split == "val"
    evaluate_run(copies[1], "test")
    assert read_runs(copies, resamples=10).split == "test"


def test_equal_data_has_an_equal_line(found, scored):
    assert read_runs([scored.greedy], resamples=10).data == found.data
    assert "6 photos, references " in found.data


def test_a_metric_that_only_the_stored_scores_have_is_kept(scored, tmp_path):
    run = shutil.copytree(scored.frozen, tmp_path / "run")
    path = run / "scores-val.json"
    content = json.loads(path.read_text())
    content["scores"]["CLIPScore"] = {"value": 0.7, "interval": [0.6, 0.8], "signature": "CLIPScore|.."}
    for number, values in enumerate(content["per_image"].values()):
        values["CLIPScore"] = number / 10
    path.write_text(json.dumps(content))
    found = read_runs([run, scored.trained], resamples=10)
    assert "CLIPScore" in found.metrics and sorted(found.values("CLIPScore")["run"].values())[-1] == 0.5
    assert "trained" not in found.values("CLIPScore")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: (run / "captions-val.json").unlink(), ["has no captions-val.json", "showtell evaluate"]),
        (lambda run: (run / "captions-val.json").write_text('{"none.png": "a star"}'), ["no image has references"]),
        (lambda run: (run / "captions-val.json").write_text("{"), ["captions-val.json"]),
        (lambda run: shutil.rmtree(run), ["does not exist"]),
        (lambda run: (run / "recipe.yaml").unlink(), ["recipe.yaml"]),
    ],
)
def test_a_run_that_cannot_be_reported_is_one_line(scored, tmp_path, spoil, words):
    run = shutil.copytree(scored.trained, tmp_path / "run")
    (run / "scores-val.json").unlink()
    spoil(run)
    with pytest.raises(InputError) as error:
        read_runs([scored.frozen, run])
    assert all(word in str(error.value) for word in words) and "\n" not in str(error.value)


def test_captions_that_changed_after_their_scores_are_refused(scored, tmp_path):
    run = shutil.copytree(scored.frozen, tmp_path / "run")
    captions = json.loads((run / "captions-val.json").read_text())
    (run / "captions-val.json").write_text(json.dumps(captions | {next(iter(captions)): "better by hand"}))
    with pytest.raises(InputError, match="was changed after it was scored"):
        read_runs([run])


def test_no_run_is_refused():
    with pytest.raises(InputError, match="no run is given"):
        read_runs([])


def test_damaged_scores_cost_only_what_stood_in_them(scored, tmp_path):
    run = shutil.copytree(scored.frozen, tmp_path / "run")
    (run / "scores-val.json").write_text("[")
    (run / "metrics.jsonl").unlink()
    (run / "made.json").write_text("no json")
    found = read_runs([run], resamples=10)
    assert found.runs["run"].scored == {} and found.runs["run"].parameters["trained"] > 0
