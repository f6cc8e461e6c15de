"""A plan's YAML: what its entries become, and that a mistake in it is told in one line."""

import re

import pytest

from benchmarks.results.page import check_markers, shown_runs
from benchmarks.results.plan import PACKAGED, Plan, read_plan
from benchmarks.results.runs import given_of, runs_of
from benchmarks.results.work import is_trained
from showtell.checkpoint import write_recipe
from showtell.plumbing.errors import InputError
from showtell.settings.text import packaged_recipes
from tests.pages import ROOT

PLAN = """
files: {vgg16: weights/vgg16.ckpt}
recipes:
  lyon: [encoder=lite]
  lyon-vgg: [encoder.weights=$vgg16]
  rewarded: {start: lyon, overrides: [loss=self_critical, train.epochs=2]}
  scheduled: {start: lyon, recipe: lyon-scheduled, overrides: [encoder=lite]}
  vgg-greedy: {decoded: lyon-vgg, overrides: [decode.num_beams=1]}
  together: {ensemble: lyon}
  kharagpur-a: {overrides: [encoder=lite], seeds: [7]}
  nearest: []
datasets:
  ucm:
    title: UCM
    seeds: [1, 2]
    overrides: [train.epochs=8]
    of:
      lyon: [train.epochs=12, decoder.dim=32]
      rewarded: {overrides: [train.epochs=3], seeds: [2]}
  part: {title: Part, recipes: [nearest, lyon], seeds: [3], data: [data=coco]}
"""


@pytest.fixture
def plan(tmp_path):
    """Reads the plan with some of its text changed."""

    def read(before="", after=""):
        assert before in PLAN
        (tmp_path / "plan.yaml").write_text(PLAN.replace(before, after) if before else PLAN)
        return read_plan(tmp_path / "plan.yaml")

    return read


def named(plan, dataset="ucm", files=None):
    return {run.name: run for run in runs_of(plan, dataset, "root", ROOT / "none", files)}


def test_each_seed_of_a_recipe_is_a_run_and_what_trains_nothing_is_one(plan):
    names = "lyon-1 lyon-2 lyon-vgg-1 lyon-vgg-2 rewarded-2 scheduled-1 scheduled-2 vgg-greedy-1 vgg-greedy-2 together"
    assert list(named(plan())) == [f"ucm-{name}" for name in [*names.split(), "kharagpur-a-7", "nearest"]]
    assert named(plan())["ucm-nearest"].make == [
        "train",
        "nearest",
        "data.root=root",
        "--run",
        f"{ROOT}/none/ucm-nearest",
    ]


def test_a_data_set_may_have_some_of_the_recipes_in_the_plans_order(plan):
    runs = named(plan(), "part")
    assert list(runs) == ["part-lyon-3", "part-nearest"]
    assert runs["part-nearest"].make[2:4] == ["data.root=root", "data=coco"]


def test_the_nearest_override_of_a_key_counts(plan):
    """The data set's own of a recipe, then the data set's, then the recipe's."""
    assert named(plan())["ucm-lyon-1"].overrides == ("encoder=lite", "train.epochs=12", "decoder.dim=32")


def test_what_begins_with_a_run_has_its_recipe_overrides_and_seed(plan):
    runs = named(plan())
    run = runs["ucm-rewarded-2"]
    assert run.recipe == "lyon" and run.needs == (runs["ucm-lyon-2"],)
    assert run.overrides == ("encoder=lite", "train.epochs=3", "decoder.dim=32", "loss=self_critical")
    assert run.make[-4:-2] == [f"train.start={ROOT}/none/ucm-lyon-2", "train.seed=2"]
    assert runs["ucm-scheduled-1"].recipe == "lyon-scheduled"
    assert runs["ucm-scheduled-1"].overrides == ("encoder=lite", "train.epochs=8")


def test_runs_are_put_together_or_decoded_otherwise_and_not_trained(plan):
    runs = named(plan())
    folder = f"{ROOT}/none/ucm"
    assert runs["ucm-together"].make == [
        "ensemble",
        f"{folder}-lyon-1",
        f"{folder}-lyon-2",
        "--run",
        f"{folder}-together",
    ]
    greedy = runs["ucm-vgg-greedy-1"]
    out = ["--split", "val", "--out", f"{folder}-vgg-greedy-1"]
    assert greedy.make == [] and greedy.evaluate == ["evaluate", f"{folder}-lyon-vgg-1", "decode.num_beams=1", *out]
    assert greedy.checked["decode"]["num_beams"] == 1 and greedy.checked["train"]["seed"] == 1
    assert runs["ucm-together"].checked["captioner"]["members"] == ["members/1", "members/2"]


def test_files_are_the_command_lines_and_what_lacks_one_says_so(plan, tmp_path):
    (tmp_path / "weights.ckpt").touch()
    given = given_of(plan(), [f"vgg16={tmp_path}/weights.ckpt", f"part={tmp_path}"])
    assert given.roots == {"part": str(tmp_path)}
    run = named(plan(), files=given.files)["ucm-lyon-vgg-1"]
    assert f"encoder.weights={tmp_path}/weights.ckpt" in run.make and run.lacks == []
    lacking = [name for name, run in named(plan()).items() if run.lacks == ["vgg16"]]
    assert lacking == ["ucm-lyon-vgg-1", "ucm-lyon-vgg-2", "ucm-vgg-greedy-1", "ucm-vgg-greedy-2"]
    shown = {run.name: run for run in shown_runs(plan(), "ucm")}["ucm-lyon-vgg-1"]
    assert shown.make[2:4] == ["data.root=datasets/ucm", "encoder.weights=weights/vgg16.ckpt"]


SIDE_BY_SIDE = "[encoder=concat, 'encoder.parts=[lite, {name: timm, model: vgg16, weights: $vgg16}]']"


@pytest.mark.slow
def test_a_run_of_encoders_side_by_side_is_known_without_their_files_and_one_of_others_is_not(plan, tmp_path):
    before = plan("[encoder.weights=$vgg16]", SIDE_BY_SIDE)

    def of(plan, files=None):
        return {run.name: run for run in runs_of(plan, "ucm", "root", tmp_path, files)}["ucm-lyon-vgg-1"]

    of(before).folder.mkdir()
    write_recipe(of(before).folder, of(before, {"vgg16": "w.ckpt"}).checked)
    assert of(before).lacks == ["vgg16"] and not is_trained(of(before))
    for change in ("model: vgg19, weights: $vgg16", "model: vgg16, weights: other.ckpt"):
        other = plan("[encoder.weights=$vgg16]", SIDE_BY_SIDE.replace("model: vgg16, weights: $vgg16", change))
        with pytest.raises(InputError, match=r"was made with encoder.parts="):
            is_trained(of(other))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("title: UCM", "titel: UCM", "datasets.ucm.title: field required"),
        ("title: UCM", "title: UCM\n    x: 1", "datasets.ucm.x: extra inputs are not permitted"),
        ("[encoder=lite]", "{encoder: lite}", "recipes.lyon.encoder: extra inputs are not permitted"),
        ("ensemble: lyon", "ensemble: lyons", "recipes.together: 'lyons' is no entry above it (did you mean lyon?)"),
        ("ensemble: lyon", "ensemble: nearest", "recipes.together: 'nearest' is no entry above it"),
        ("ensemble: lyon", "ensemble: lyon, start: lyon", "recipes.together: start, ensemble and decoded exclude each"),
        ("ensemble: lyon", "ensemble: lyon, overrides: [x]", "recipes.together: an ensemble takes no overrides; an"),
        ("ensemble: lyon", "ensemble: lyon, seeds: [1]", "recipes.together: recipe and seeds are those of the runs"),
        ("=$vgg16", "=$vgg19", "recipes.lyon-vgg: files: 'vgg19' is not there (did you mean vgg16?)"),
        ("[nearest, lyon]", "[nearest, lion]", "datasets.part.recipes: 'lion' is not there (did you mean lyon?)"),
        ("[nearest, lyon]", "[rewarded]", "datasets.part.recipes has rewarded without lyon, of which it is made"),
        ("      lyon: [t", "      lyons: [t", "datasets.ucm.of: 'lyons' is not there (did you mean lyon?)"),
        (
            "      lyon: [t",
            "      together: [t",
            "datasets.ucm.of.together: it has those of the runs that it is made of",
        ),
        (
            "datasets:",
            "effects: {e: {title: E, datasets: [a], of: [b, c]}}\ndatasets:",
            "effects.e.datasets: 'a' is not",
        ),
        (
            "datasets:",
            "effects: {e: {title: E, datasets: [ucm], of: [lyon]}}\ndatasets:",
            "effects.e.of: list should have",
        ),
        (
            *("datasets:", "effects: {e: {title: E, datasets: [part], of: [lyon, rewarded]}}\ndatasets:"),
            "effects.e.of: 'rewarded' is not there on part",
        ),
        (
            *(
                "datasets:",
                "effects: {e: {title: E, datasets: [ucm], of: [lyon, nearest], metrics: [BLUE-4]}}\ndatasets:",
            ),
            "effects.e.metrics: 'BLUE-4' is not there (did you mean BLEU-4?)",
        ),
        ("title: Part,", "title: Part, root_of: ucn,", "datasets.part.root_of: 'ucn' is not there (did you mean ucm?)"),
        ("title: Part,", "title: Part, root_of: part,", "datasets.part.root_of: 'part' is not there"),
    ],
)
def test_a_plan_that_is_wrong_is_told(plan, before, after, told):
    with pytest.raises(InputError, match=re.escape(f"plan.yaml: {told}")):
        plan(before, after)


def test_a_plan_that_is_none_is_told(tmp_path):
    with pytest.raises(InputError, match=r"none.yaml cannot be read: No such file"):
        read_plan(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("title: é".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin.yaml is not UTF-8: .* at byte 7"):
        read_plan(tmp_path / "latin.yaml")
    (tmp_path / "list.yaml").write_text("recipes: [a")
    with pytest.raises(InputError, match=r"list.yaml is not YAML: line 1: "):
        read_plan(tmp_path / "list.yaml")


def test_seeds_that_an_entry_is_made_of_must_be_there(plan):
    with pytest.raises(InputError, match=r"rewarded begins with lyon of seed 9, which ucm has not; give both it"):
        named(plan("seeds: [2]", "seeds: [9]"))
    with pytest.raises(InputError, match=r"together puts the runs of lyon together, of which ucm has one; give it"):
        named(plan("seeds: [1, 2]", "seeds: [2]"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none=x"], "'none' is no data set of the plan; it has ucm, part, and files vgg16"),
        (["ucm=no/such"], "ucm=no/such: no such folder"),
        (["vgg16=no/such"], "vgg16=no/such: no such file"),
        (["ucm"], "ucm: no root is given; write ucm=DIR"),
    ],
)
def test_a_wrong_path_is_told(plan, words, told):
    with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
        given_of(plan(), words)


def test_the_same_photos_may_stand_in_two_tables_and_their_root_is_given_once(plan, tmp_path):
    both = plan("title: Part,", "title: Part, root_of: ucm,")
    assert given_of(both, [f"ucm={tmp_path}"]).roots == {"ucm": str(tmp_path), "part": str(tmp_path)}
    assert all("data.root=datasets/ucm" in run.make for run in shown_runs(both, "part"))
    with pytest.raises(InputError, match=r"^'part' is no data set of the plan; it has ucm, and files vgg16$"):
        given_of(both, [f"part={tmp_path}"])


def test_nothing_given_is_nothing():
    assert given_of(Plan(recipes={}, datasets={}), []) == ({}, {})


@pytest.mark.slow
def test_the_packaged_plan_has_its_places_on_the_page():
    plan = read_plan(PACKAGED)
    effects = [f"{name} on {dataset}" for name, effect in plan.effects.items() for dataset in effect.datasets]
    check_markers(ROOT / "docs/results.md", [*plan.datasets, *effects])
    unplanned = {"scenes", "tiny", "huggingface"}  # and what needs weights from the hub
    unplanned |= {name for name, text in packaged_recipes().items() if "\n# Offline: " in text}
    assert set(packaged_recipes()) - unplanned <= set(plan.recipes)
    for name in plan.datasets:
        assert runs_of(plan, name, "somewhere", ROOT / "runs")
