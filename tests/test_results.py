"""`make results`: what is missing is made, what is there stays, and every figure of a table is a run's own."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from benchmarks.results import __main__ as command
from benchmarks.results.plan import PACKAGED, Plan, read_plan, roots_of, runs_of
from benchmarks.results.table import check_markers, section, write_sections
from benchmarks.results.work import is_scored, is_trained, missing, work
from showtell.errors import InputError
from showtell.evaluate import evaluate
from showtell.train import train
from tests.pages import ROOT
from tests.small import write_karpathy

PLAN = """
split: val
recipes:
  bern-1: [decoder.dim=16, encoder.image_size=32, encoder.grid_size=4, encoder.width=8, encoder.dim=24]
  nearest: [encoder.image_size=64]
datasets:
  small:
    title: Small
    seeds: [1, 2]
    overrides: [train.max_steps=2, tokenizer.min_count=1, decode=greedy]
  other: {title: Other, seeds: [0]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data, a plan and its three finished runs."""
    folder = tmp_path_factory.mktemp("results")
    write_karpathy(folder / "small")
    (folder / "plan.yaml").write_text(PLAN)
    *trained, nearest = runs(folder)
    for run in trained:  # as the commands would, without waiting for imports
        evaluate(train(run.checked, run.folder, console=Console(quiet=True)), run.split)
    assert work([nearest], 1, lambda text: None) == []
    return folder


def runs(folder):
    return runs_of(read_plan(folder / "plan.yaml"), "small", str(folder / "small"), folder / "runs")


@pytest.fixture
def results(monkeypatch, capsys, made, tmp_path):
    """`results("--dry-run")` -> (exit code, standard output, standard error)."""

    def run(*words):
        given = ["--plan", made / "plan.yaml", "--runs", made / "runs", "--out", tmp_path / "page.md", *words]
        monkeypatch.setattr(sys, "argv", ["results", f"small={made / 'small'}", *map(str, given)])
        code = command.main()
        return code, *capsys.readouterr()

    return run


def test_each_seed_of_a_recipe_is_a_run_and_what_trains_nothing_is_one(made):
    found = runs(made)
    assert [run.name for run in found] == ["small-bern-1-1", "small-bern-1-2", "small-nearest"]
    assert "train.seed=2" in found[1].train and "train.max_steps=2" in found[1].train
    words = ["train", "nearest", f"data.root={made / 'small'}", "encoder.image_size=64"]
    assert found[2].train == [*words, "--run", str(made / "runs/small-nearest")]


def test_finished_runs_are_left_alone(made, results):
    assert all(is_trained(run) and is_scored(run) and missing(run) == [] for run in runs(made))
    before = {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*")}
    code, out, err = results()
    assert (code, err) == (0, "")
    assert "other: no root is given, so Other is left out (other=DIR)" in out
    assert "3 runs: 3 are there, 0 to make" in out
    assert {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*")} == before


def test_every_figure_is_a_runs_own(made, results, tmp_path):
    results()
    page = (tmp_path / "page.md").read_text()
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in page.splitlines() if line[:1] == "|"}
    scores = [json.loads((made / f"runs/small-bern-1-{seed}/scores-val.json").read_text())["scores"] for seed in (1, 2)]
    place = rows["recipe"].index("BLEU-1")
    one, two = (content["BLEU-1"]["value"] for content in scores)
    mean, spread = (float(text) for text in rows["`bern-1`"][place].split(" ± "))
    assert mean == pytest.approx((one + two) / 2, abs=6e-4) and spread == pytest.approx(
        abs(one - two) / 2**0.5, abs=6e-4
    )
    k = json.loads((made / "runs/small-nearest/neighbours.json").read_text())["k"]
    nearest = json.loads((made / "runs/small-nearest/scores-val.json").read_text())["scores"]
    row = rows[f"`nearest` (k = {k})"]
    assert float(row[rows["recipe"].index("CIDEr-D")]) == pytest.approx(nearest["CIDEr-D"]["value"], abs=6e-4)
    assert float(rows["one human against the rest"][place]) > 0
    assert "Seeds 1, 2: mean ± standard deviation." in page and str(made) not in page
    assert "for seed in 1 2; do\n  showtell train bern-1 data.root=datasets/small " in page
    assert "train.seed=$seed --run runs/results/small-bern-1-$seed\n" in page


def test_a_run_that_is_missing_is_named_and_has_no_figures(made):
    plan, found = read_plan(made / "plan.yaml"), runs(made)
    text = section(plan, "small", str(made / "small"), found[2:])
    assert "Not made yet: small-bern-1-1, small-bern-1-2." in text and "| `bern-1`" not in text


def test_what_a_run_lacks_is_made_and_a_stopped_one_goes_on(made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    first, second, _ = runs(tmp_path / "copy")
    (first.folder / "scores-val.json").unlink()
    state = json.loads((second.folder / "last/state.json").read_text())
    (second.folder / "last/state.json").write_text(json.dumps(state | {"finished": False}))
    with pytest.raises(InputError, match=r"was made with data.root=.*, and the plan says .*; move it away"):
        missing(first)
    for run in (first, second):
        recipe = (run.folder / "recipe.yaml").read_text().replace(str(made), str(tmp_path / "copy"))
        (run.folder / "recipe.yaml").write_text(recipe)
    assert missing(first) == [first.evaluate]
    assert missing(second) == [[*second.train, "--resume"], second.evaluate]


def test_a_dry_run_prints_what_is_missing(made, results):
    assert results("--dry-run") == (0, "other: no root is given, so Other is left out (other=DIR)\n", "")
    code, out, _ = results("--dry-run", "--runs", made / "none", "--only", "nearest")
    assert code == 0 and out.splitlines()[1:] == [
        f"showtell train nearest data.root={made}/small encoder.image_size=64 --run {made}/none/small-nearest",
        f"showtell evaluate {made}/none/small-nearest --split val",
    ]


def test_a_run_that_another_process_is_at_work_on_is_waited_for(made, tmp_path):
    """As after a kill: its process lives on and holds the log."""
    (run,) = [run for run in runs(made) if run.seed is None]
    other = runs_of(read_plan(made / "plan.yaml"), "small", run.root, tmp_path)[-1]
    said = []
    with (tmp_path / f"{other.name}.log").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        thread = threading.Thread(target=work, args=([other], 1, said.append))
        thread.start()
        while len(said) < 2:
            assert thread.is_alive()
            time.sleep(0.01)
        shutil.copytree(run.folder, other.folder)  # the other process ends its work
    thread.join()
    assert said[1:] == ["small-nearest: waiting for the process of an earlier command that is at work on it"]


def test_a_run_that_fails_costs_only_itself(made, tmp_path):
    found = runs_of(read_plan(made / "plan.yaml"), "small", str(made / "none"), tmp_path)[-1:]
    (failure,) = work(found, 2, lambda text: None)
    assert failure.startswith("small-nearest: train failed with code 2: error: ") and str(tmp_path) in failure


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none=x"], "error: 'none' is no data set of the plan; it has small, other\n"),
        (["other=no/such"], "error: other=no/such: no such folder\n"),
        (["other"], "error: other: no root is given; write other=DIR\n"),
        (["--only", "bern-9"], "error: --only bern-9: no run, recipe or data set of that name is to be made\n"),
    ],
)
def test_a_mistake_is_one_line(results, words, told):
    assert results(*words)[::2] == (2, told)


def test_a_plan_that_is_none_is_told(tmp_path):
    (tmp_path / "plan.yaml").write_text("recipes: {}\ndatasets: {a: {title: A, seed: 3}}")
    with pytest.raises(InputError, match=re.escape("plan.yaml: datasets.a.seed: extra inputs are not permitted")):
        read_plan(tmp_path / "plan.yaml")
    with pytest.raises(InputError, match=r"none.yaml cannot be read: No such file"):
        read_plan(tmp_path / "none.yaml")


def test_only_what_stands_between_the_markers_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- made by make results: a -->\nold\n<!-- end of a -->\nafter \\1\n")
    for _ in range(2):
        write_sections(page, {"a": "| new \\1 |"})
        begin, end = "<!-- made by make results: a -->", "<!-- end of a -->"
        assert page.read_text() == f"before\n{begin}\n\n| new \\1 |\n\n{end}\nafter \\1\n"
    with pytest.raises(InputError, match=r"page.md has no one place for b: it takes a line <!-- made by"):
        check_markers(page, ["b"])


def test_the_packaged_plan_has_its_places_on_the_page():
    plan = read_plan(PACKAGED)
    check_markers(ROOT / "docs/results.md", list(plan.datasets))
    for name in plan.datasets:
        assert len(runs_of(plan, name, "somewhere", ROOT / "runs")) == 6 * len(plan.datasets[name].seeds) + 1


def test_makes_target_is_the_command(tmp_path):
    told = subprocess.run(
        ["make", "-n", "results", "UCM=datasets/ucm", "JOBS=2"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-m benchmarks.results ucm=datasets/ucm" in told.stdout and "--runs runs/results --jobs 2" in told.stdout
    assert roots_of(Plan(recipes={}, datasets={}), []) == {}
