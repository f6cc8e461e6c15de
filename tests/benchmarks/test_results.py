"""`make results`: what is missing is made, what is there stays, and every figure of a table is a run's own."""

import fcntl
import json
import shutil
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from benchmarks.results import __main__ as command
from benchmarks.results import work as working
from benchmarks.results.measured import measure
from benchmarks.results.page import _markers, check_markers, write_sections
from benchmarks.results.plan import read_plan
from benchmarks.results.runs import runs_of
from benchmarks.results.work import is_scored, is_trained, missing, with_needs, work
from showtell.plumbing.errors import InputError
from showtell.recipe.build import build
from tests.benchmarks.planned import copied, make_planned, planned_runs
from tests.pages import ROOT

pytestmark = pytest.mark.slow  # they train eight runs once

NAMES = ["bern-1-1", "bern-1-2", "longer-2", "wider-1", "wider-2", "both", "both-flipped", "nearest"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data, a plan and its finished runs."""
    return make_planned(tmp_path_factory.mktemp("results") / "made")


def sections_of(folder, measured):
    return command._sections(read_plan(folder / "plan.yaml"), "small", planned_runs(folder), measured)


def named(folder):
    return {run.name.removeprefix("small-"): run for run in planned_runs(folder)}


@pytest.fixture
def results(monkeypatch, capsys, made, tmp_path):
    """`results("--dry-run")` -> (exit code, standard output, standard error)."""

    def run(*words):
        given = ["--plan", made / "plan.yaml", "--runs", made / "runs", "--out", tmp_path / "page.md"]
        given += ["--measured", tmp_path / "measured", *words]
        monkeypatch.setattr(sys, "argv", ["results", f"small={made / 'small'}", *map(str, given)])
        code = command.main()
        return code, *capsys.readouterr()

    return run


def test_finished_runs_are_left_alone(made, results):
    assert all(is_trained(run) and is_scored(run) and missing(run) == [] for run in planned_runs(made))
    before = {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*")}
    code, out, err = results()
    assert (code, err) == (0, "")
    assert "other: no root is given, so Other is skipped (other=DIR)" in out
    assert "8 runs: 8 are there, 0 to make" in out
    assert {path: path.stat().st_mtime_ns for path in (made / "runs").rglob("*")} == before


def table(page):
    """Rows of the data set's table by their first cell, without it."""
    text = page.read_text().partition("<!-- end of small -->")[0]
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_every_figure_is_a_runs_own(made, results, tmp_path):
    results()
    page, rows = (tmp_path / "page.md").read_text(), table(tmp_path / "page.md")
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
    assert str(made) not in page
    assert "for seed in 1 2; do\n  showtell train bern-1 data.root=datasets/small " in page
    assert "train.seed=$seed --run runs/results/small-bern-1-$seed\n" in page
    assert "train.start=runs/results/small-bern-1-2 train.seed=2 --run runs/results/small-longer-2\n" in page
    wider = "decode=beam decode.num_beams=2 --split val --out runs/results/small-wider-$seed"
    assert f"for seed in 1 2; do\n  showtell evaluate runs/results/small-bern-1-$seed {wider}\ndone\n" in page
    folders = "runs/results/small-bern-1-1 runs/results/small-bern-1-2 --run runs/results/small-both"
    assert f"\nshowtell ensemble {folders}\nshowtell evaluate runs/results/small-both --split val\n" in page


def test_what_has_no_training_of_its_own_has_no_minutes(results, tmp_path):
    results()
    rows = table(tmp_path / "page.md")
    assert [rows[f"`{name}`"][-2] != "" for name in ("bern-1", "longer", "wider", "both")] == [True, True, False, False]
    assert float(rows["`both`"][-3].split()[0]) == pytest.approx(2 * float(rows["`bern-1`"][-3].split()[0]), abs=0.011)


def test_the_protocol_says_which_recipe_did_otherwise(results, tmp_path):
    results()
    page = (tmp_path / "page.md").read_text()
    assert "\n- Decoding of `bern-1`, `longer`, `both`: greedy, max_length 40," in page
    assert "\n- Decoding of `wider`: beam, num_beams 2," in page
    assert "\n- Decoding of `both-flipped`: greedy, " in page and ", views flip.\n" in page
    assert "\n- The epoch was chosen with CIDEr-D on the validation photos, captioned by greedy decoding." in page
    assert "\n- Seeds 1, 2 (`longer`: seed 2), mean ± standard deviation over the seeds." in page


def test_a_metric_that_few_runs_lack_is_a_blank(made, results, tmp_path):
    folder = copied(made, tmp_path / "copy")
    path = folder / "runs/small-bern-1-2/scores-val.json"
    content = json.loads(path.read_text())
    del content["scores"]["ROUGE-L"]
    path.write_text(json.dumps(content))
    plan, runs = read_plan(folder / "plan.yaml"), planned_runs(folder)
    page = tmp_path / "page.md"
    page.write_text(command._sections(plan, "small", runs, tmp_path / "m")["small"])
    assert "Not made yet: small-bern-1-2." in page.read_text()  # it is to be scored again
    assert "\n| `bern-1` (seed 1) | " in page.read_text() and "\n| `longer` | " in page.read_text()
    plan.recipes = {name: plan.recipes[name] for name in ("bern-1", "nearest")}
    runs = runs_of(plan, "small", str(folder / "small"), folder / "runs")
    records = [record for record in build(runs[0].checked, "data") if record.references]
    page.write_text(command.section(plan, "small", runs, {run: measure(plan, run, records) for run in runs}, []))
    rows = table(page)
    place = rows["recipe"].index("ROUGE-L")
    assert rows["`bern-1`"][place] == "" and rows["`bern-1`"][place + 1] != ""


def test_a_run_that_is_missing_is_named_and_has_no_figures(made, tmp_path):
    folder = copied(made, tmp_path / "copy")
    for name in ("bern-1-1", "bern-1-2"):
        shutil.rmtree(folder / f"runs/small-{name}")
    text = sections_of(folder, tmp_path / "m")["small"]
    assert "Not made yet: small-bern-1-1, small-bern-1-2, small-wider-1, small-wider-2." in text
    assert "| `bern-1`" not in text and "| `longer`" in text


def test_before_anything_is_made_the_page_has_commands_and_people(made, tmp_path):
    runs = runs_of(read_plan(made / "plan.yaml"), "small", str(made / "small"), tmp_path)
    sections = command._sections(read_plan(made / "plan.yaml"), "small", runs, tmp_path / "m")
    assert f"Not made yet: {', '.join(f'small-{name}' for name in NAMES)}." in sections["small"]
    assert "| one human against the rest | " in sections["small"] and "Decoding" not in sections["small"]
    assert sections["beams on small"].startswith("Not made yet: small-bern-1-1, ")


def test_what_a_run_lacks_is_made_and_a_stopped_one_goes_on(made, tmp_path):
    shutil.copytree(made, tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"was made with data.root=.*, and the plan says .*; move it away"):
        missing(planned_runs(tmp_path / "elsewhere")[0])
    runs = named(copied(made, tmp_path / "copy"))
    first, second = runs["bern-1-1"], runs["bern-1-2"]
    (first.folder / "scores-val.json").unlink()
    state = json.loads((second.folder / "last/state.json").read_text())
    (second.folder / "last/state.json").write_text(json.dumps(state | {"finished": False}))
    assert missing(first) == [first.evaluate]
    assert missing(second) == [[*second.make, "--resume"], second.evaluate]
    assert missing(runs["wider-1"]) == [] and missing(runs["wider-2"]) == [runs["wider-2"].evaluate]


def test_scores_of_older_weights_are_made_again(made, tmp_path):
    runs = named(copied(made, tmp_path / "copy"))
    (runs["bern-1-1"].folder / "model.safetensors").touch()
    assert [name for name, run in runs.items() if missing(run)] == ["bern-1-1", "wider-1"]


def test_a_run_that_was_scored_otherwise_is_scored_by_the_plan_and_not_trained_again(made, tmp_path):
    runs = named(copied(made, tmp_path / "copy"))
    first = runs["bern-1-1"]
    recipe = first.folder / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("  - standard\n  - hidden\n", "  - BLEU\n"))
    assert "  - BLEU\n" in recipe.read_text() and missing(first) == []
    scores = json.loads((first.folder / "scores-val.json").read_text())
    del scores["scores"]["CIDEr-D"]
    (first.folder / "scores-val.json").write_text(json.dumps(scores))
    assert missing(first) == [[*first.evaluate, "evaluate.metrics=[standard,hidden]"]]


def test_a_run_says_which_metric_of_several_chose_its_epoch(made, tmp_path):
    folder = copied(made, tmp_path / "copy")
    for chosen, same in (("METEOR,CIDEr-D", True), ("METEOR", False)):
        text = (made / "plan.yaml").read_text().replace("decode=greedy]", f'decode=greedy, "train.select={chosen}"]')
        (folder / "plan.yaml").write_text(text)
        if same:
            assert is_trained(named(folder)["bern-1-1"])
        else:
            with pytest.raises(InputError, match=r"was made with train\.select=CIDEr-D, and the plan says METEOR"):
                is_trained(named(folder)["bern-1-1"])


def test_an_ensemble_of_other_runs_is_told(made, tmp_path):
    both = named(copied(made, tmp_path / "copy"))["both"]
    recipe = both.folder / "members/2/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("max_steps: 2", "max_steps: 9"))
    with pytest.raises(InputError, match=r"members/2 was made with train.max_steps=9, and the plan says 2; move it"):
        missing(both)


def test_a_dry_run_prints_what_is_missing(made, results):
    assert results("--dry-run") == (0, "other: no root is given, so Other is skipped (other=DIR)\n", "")
    code, out, _ = results("--dry-run", "--runs", made / "none", "--only", "nearest")
    assert code == 0 and out.splitlines()[1:] == [
        f"showtell train nearest data.root={made}/small encoder.image_size=64 --run {made}/none/small-nearest",
        f"showtell evaluate {made}/none/small-nearest --split val",
    ]


def test_one_run_alone_brings_what_it_is_made_of(made, results):
    code, out, _ = results("--dry-run", "--runs", made / "none", "--only", "small-wider-2")
    lines = out.splitlines()[1:]
    assert code == 0 and [line.split()[1] for line in lines] == ["train", "evaluate", "evaluate"]
    assert lines[-1] == (
        f"showtell evaluate {made}/none/small-bern-1-2 decode=beam decode.num_beams=2 --split val "
        f"--out {made}/none/small-wider-2"
    )


def test_the_tables_of_what_is_not_asked_for_stay_as_they_are(made, results, tmp_path):
    plan = (made / "plan.yaml").read_text().replace("title: Other,", "title: Other, root_of: small,")
    (tmp_path / "plan.yaml").write_text(plan)
    page, old = tmp_path / "page.md", "<!-- made by make results: other -->\n\nold\n\n<!-- end of other -->"
    page.write_text(old)
    told = f"{page} has no one place for small: it takes a line"
    assert results("--plan", tmp_path / "plan.yaml", "--only", "small")[2].startswith(f"error: {told}")
    page.write_text(old + "".join(f"\n{line}" for name in ("small", "beams on small") for line in _markers(name)))
    assert results("--plan", tmp_path / "plan.yaml", "--only", "small")[0] == 0
    assert page.read_text().startswith(old) and "`bern-1`" in table(page)


def test_a_table_of_the_same_photos_says_how_it_alone_is_made(made):
    plan = read_plan(made / "plan.yaml")
    plan.datasets["other"].root_of = "small"
    text = command.section(plan, "other", runs_of(plan, "other", str(made / "small"), made / "none"), {}, [])
    assert 'make results SMALL=datasets/small RESULTS="--only other"  # does all of this' in text


@pytest.fixture
def processes(monkeypatch):
    """The commands that were run, which do nothing; `fails` names one that fails."""
    found = SimpleNamespace(done=[], fails=None)

    def run(words, stdout, **_):
        time.sleep(0.01)
        command = " ".join(words[3:])
        found.done.append(command)
        stdout.write("error: told\n")
        stdout.flush()
        return SimpleNamespace(returncode=2 if found.fails and found.fails in command else 0)

    monkeypatch.setattr(working.subprocess, "run", run)
    return found


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_what_is_made_of_others_comes_after_them(made, tmp_path, processes, jobs):
    runs = runs_of(read_plan(made / "plan.yaml"), "small", str(made / "small"), tmp_path)
    assert work(list(reversed(runs)), jobs, lambda text: None) == []
    assert len(processes.done) == 2 * 8 - 3  # what is decoded otherwise is one command
    for run in runs:
        of_run = processes.done.index(" ".join(run.make or run.evaluate))
        assert all(processes.done.index(" ".join(need.evaluate)) < of_run for need in run.needs)


def test_what_is_made_of_a_run_that_failed_is_not_tried(made, tmp_path, processes):
    runs = runs_of(read_plan(made / "plan.yaml"), "small", str(made / "small"), tmp_path)
    processes.fails, said = "small-bern-1-2", []
    failed = work(runs, 2, said.append)
    assert failed[0].startswith("small-bern-1-2: train failed with code 2: error: told (all of it: ")
    lost = ["longer-2", "wider-2", "both"]
    told = [f"small-{name}: not made, since small-bern-1-2 failed" for name in lost]
    assert failed[1:] == [*told, "small-both-flipped: not made, since small-both failed"]
    assert set(failed) <= set(said)
    assert not any("longer" in each or "ensemble" in each for each in processes.done)


def test_runs_stand_behind_what_they_need(made):
    runs = planned_runs(made)
    assert with_needs([runs[5]]) == [runs[0], runs[1], runs[5]] and with_needs(runs) == runs


def test_a_run_that_another_process_is_at_work_on_is_waited_for(made, tmp_path):
    """As after a kill: its process lives on and holds the log."""
    run = named(made)["nearest"]
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


def test_a_mistake_is_one_line(results):
    told = "error: --only bern-9: the plan has no run, recipe or data set of that name for the data given\n"
    assert results("--only", "bern-9")[::2] == (2, told)
    assert results("none=x")[::2] == (2, "error: 'none' is no data set of the plan; it has small, other\n")


def test_only_what_stands_between_the_markers_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- made by make results: a -->\nold\n<!-- end of a -->\nafter \\1\n")
    for _ in range(2):
        write_sections(page, {"a": "| new \\1 |"})
        begin, end = "<!-- made by make results: a -->", "<!-- end of a -->"
        assert page.read_text() == f"before\n{begin}\n\n| new \\1 |\n\n{end}\nafter \\1\n"
    with pytest.raises(InputError, match=r"page.md has no one place for b: it takes a line <!-- made by"):
        check_markers(page, ["b"])


def test_makes_target_is_the_command():
    words = ["make", "-n", "results", "UCM=datasets/ucm", "KHARAGPUR=k", "VGG16=vgg16.ckpt", "JOBS=2"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    told = " ".join(told.stdout.replace("\\\n", " ").split())
    given = "ucm=datasets/ucm kharagpur=k vgg16=vgg16.ckpt"
    assert f"-m benchmarks.results {given} --runs runs/results --jobs 2" in told


def test_what_was_measured_outlives_its_folder(made, results, tmp_path):
    folder = copied(made, tmp_path / "copy")
    with_folders = sections_of(folder, tmp_path / "measured")
    assert str(folder) not in "".join(path.read_text() for path in (tmp_path / "measured").glob("*.json"))
    shutil.rmtree(folder / "runs")
    assert sections_of(folder, tmp_path / "measured") == with_folders
    code, out, _ = results("--runs", folder / "runs", "--measured", tmp_path / "measured")
    assert code == 0 and "0 runs: 0 are there, 0 to make" in out


def test_figures_of_another_split_are_not_those_of_this_one(made, tmp_path):
    plan = read_plan(made / "plan.yaml")
    place = tmp_path / "measured"
    command._sections(plan, "small", planned_runs(made), place)
    plan.split = "test"
    runs = runs_of(plan, "small", str(made / "small"), tmp_path / "none")
    assert (
        f"Not made yet: {', '.join(f'small-{name}' for name in NAMES)}."
        in command._sections(plan, "small", runs, place)["small"]
    )


def test_figures_of_another_recipe_are_told(made, tmp_path):
    folder = copied(made, tmp_path / "copy")
    sections_of(folder, tmp_path / "measured")
    shutil.rmtree(folder / "runs")
    path = tmp_path / "measured/small-bern-1-1-val.json"
    content = json.loads(path.read_text())
    content["recipe"]["train"]["max_steps"] = 9
    path.write_text(json.dumps(content))
    told = r"small-bern-1-1-val.json was made with train.max_steps=9, and the plan says 2; delete it"
    with pytest.raises(InputError, match=told):
        sections_of(folder, tmp_path / "measured")


@pytest.mark.parametrize(("ending", "content"), [(".npz", b"PK nothing"), (".json", b"{}"), (".json", b'{"recipe": 3')])
def test_a_damaged_file_of_figures_is_told(made, tmp_path, ending, content):
    folder = copied(made, tmp_path / "copy")
    sections_of(folder, tmp_path / "measured")
    shutil.rmtree(folder / "runs")
    (tmp_path / f"measured/small-bern-1-1-val{ending}").write_bytes(content)
    with pytest.raises(InputError, match="small-bern-1-1-val"):
        sections_of(folder, tmp_path / "measured")
