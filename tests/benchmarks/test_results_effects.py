"""Tables of effects: they say of one seed what `compare` says, and several seeds make no photos out of nothing."""

import json
import re
from statistics import fmean

import numpy as np
import pytest

from benchmarks.results import __main__ as command
from benchmarks.results import measured as measuring
from benchmarks.results.effects import _common, _over_seeds, _signed, effect_section
from benchmarks.results.measured import measure
from benchmarks.results.page import number
from benchmarks.results.plan import Effect, read_plan
from showtell.cache.contents import digest_file
from showtell.metrics import METRICS
from showtell.metrics.significance import holm, intervals, paired
from showtell.plumbing.errors import InputError
from showtell.recipe.build import build
from showtell.scoring.compare import compare_runs
from tests.benchmarks.planned import copied, make_planned, planned_runs

pytestmark = pytest.mark.slow  # they train eight runs once

SHOWN = ["CIDEr-D", "BLEU-4", "ROUGE-L"]  # without METEOR, whose tables may not be here


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with data, a plan and its finished runs, whose captions differ."""
    folder = make_planned(tmp_path_factory.mktemp("effects") / "made")
    runs = planned_runs(folder)
    for place, run in enumerate(runs):  # two steps teach too little for captions that are not alike
        path = run.folder / "captions-val.json"
        records = [r for r in build(runs[0].checked, "data") if r.split == "val"]
        said = {r.image_id: r.references[0].rsplit(" ", (place + at) % 5)[0] for at, r in enumerate(records)}
        path.write_text(json.dumps(said))
        scores = run.folder / "scores-val.json"
        scores.write_text(json.dumps(json.loads(scores.read_text()) | {"captions": digest_file(path)}))
    return folder


def section(folder, *of, ready=None, **more):
    plan, runs = read_plan(folder / "plan.yaml"), planned_runs(folder)
    effect = Effect(title="Title", datasets=["small"], of=list(of), **({"metrics": SHOWN} | more))
    plan.effects = {"title": effect}
    records = [record for record in build(runs[0].checked, "data") if record.references]
    measured = {run: measure(plan, run, records) for run in (runs if ready is None else ready)}
    return effect_section(plan, effect, "small", runs, measured)


def cells(text):
    """Numbers of each cell by row and column."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    found = {row[0]: dict(zip(lines[0][1:], row[1:], strict=True)) for row in lines[2:]}
    return {name: {key: re.findall(r"[-+]?\d*\.\d+", cell) for key, cell in row.items()} for name, row in found.items()}


def test_of_one_seed_it_says_what_compare_says(made):
    folders = [made / f"runs/small-{name}" for name in ("longer-2", "bern-1-2", "nearest")]
    found = compare_runs(folders, metrics=SHOWN)
    rows = cells(section(made, "longer", "bern-1", "nearest"))
    for run, entry in zip(folders, ("longer", "bern-1", "nearest"), strict=True):
        for name in SHOWN:
            score = found.scores[run.name][name]
            assert rows[f"`{entry}`"][name] == [number(score.value), *map(number, score.interval)]
    for name in SHOWN:
        both = [found.differences[name][run.name] for run in folders[1:]]
        p = holm([each.p_randomization for each in both])
        for each, entry, corrected in zip(both, ("bern-1", "nearest"), p, strict=True):
            told = [_signed(each.value), *map(number, each.interval), number(corrected)]
            assert rows[f"`{entry}` - `longer`"][name] == told


def test_a_value_is_the_mean_over_the_seeds_and_a_difference_is_that_of_means(made):
    rows = cells(section(made, "bern-1", "wider"))
    values = {}
    for entry in ("bern-1", "wider"):
        scores = compare_runs([made / f"runs/small-{entry}-{seed}" for seed in (1, 2)], metrics=SHOWN).scores
        values[entry] = {name: fmean(of_run[name].value for of_run in scores.values()) for name in SHOWN}
        assert {name: cell[0] for name, cell in rows[f"`{entry}`"].items()} == {
            name: number(value) for name, value in values[entry].items()
        }
    for name in SHOWN:
        apart = values["wider"][name] - values["bern-1"][name]
        assert rows["`wider` - `bern-1`"][name][0] == _signed(apart)
    assert any(value != 0 for value in values["bern-1"].values())


def test_the_same_seed_three_times_is_as_sure_as_once():
    """What is drawn is photos: captions of one photo by several seeds are not several photos."""
    generator = np.random.default_rng(0)
    first, other = generator.random((2, 40, 1))
    metric = METRICS["ROUGE-L"]
    (once,), (thrice,) = (
        paired([_over_seeds(metric, seeds)], [np.hstack([first] * seeds)], [np.hstack([other] * seeds)])
        for seeds in (1, 3)
    )
    assert np.hstack(thrice) == pytest.approx(np.hstack(once))
    spans = [intervals([_over_seeds(metric, seeds)], [np.hstack([first] * seeds)])[0] for seeds in (1, 3)]
    assert spans[0] == pytest.approx(spans[1])


def test_seeds_that_differ_are_surer_together_than_alone():
    generator = np.random.default_rng(0)
    first, other = generator.random((2, 60, 3))
    metric = METRICS["ROUGE-L"]
    (together,) = paired([_over_seeds(metric, 3)], [first], [other])
    (alone,) = paired([_over_seeds(metric, 1)], [first[:, :1]], [other[:, :1]])
    assert np.diff(together.interval) < 0.8 * np.diff(alone.interval)
    assert together.difference == pytest.approx((other - first).mean())


def test_a_share_over_seeds_is_tested_by_what_each_photo_contributes():
    """Captions of four photos repeat something, with any seed: p is 1/8, whatever the lengths."""
    metric = METRICS["repeats-4"]
    first, other = np.tile([0.0, 3.0], (2, 200, 3))
    first[:4, ::2], other[:, 1::2] = 1, 7
    (found,) = paired([_over_seeds(metric, 3)], [first], [other])
    assert found.difference == pytest.approx(-4 / 600) and found.p_randomization == 1 / 8


def test_an_entry_without_seeds_stands_beside_every_seed(made):
    rows = cells(section(made, "bern-1", "nearest"))
    alone = compare_runs([made / "runs/small-nearest", made / "runs/small-both"], metrics=SHOWN).scores
    assert rows["`nearest`"]["CIDEr-D"][0] == number(alone["small-nearest"]["CIDEr-D"].value)
    text = section(made, "nearest", "both")
    assert "Title: Small, 2 photos (val).\n" in text and "\nshowtell compare runs/results/small-nearest runs/" in text


def test_each_is_compared_with_the_one_before(made):
    text = section(made, "bern-1", "wider", "nearest", against="previous")
    assert list(cells(text))[3:] == ["`wider` - `bern-1`", "`nearest` - `wider`"]
    assert "Title: Small, 2 photos (val), seeds 1, 2. p is corrected for 2 comparisons (Holm).\n" in text
    options = f"--split val --metrics {','.join(SHOWN)}"
    assert text.endswith(
        "```bash\nfor seed in 1 2; do\n"
        f"  showtell compare runs/results/small-bern-1-$seed runs/results/small-wider-$seed {options}\n"
        f"  showtell compare runs/results/small-wider-$seed runs/results/small-nearest {options}\n"
        "done\n```"
    )


def test_seeds_that_one_of_them_lacks_are_left_out_and_said(made):
    ready = [run for run in planned_runs(made) if run.name != "small-wider-1"]
    text = section(made, "bern-1", "wider", ready=ready)
    assert "Title: Small, 2 photos (val), seed 2.\n" in text and "Not made yet: small-wider-1." in text
    assert "showtell compare runs/results/small-bern-1-2 runs/results/small-wider-2 --split" in text
    assert section(made, "bern-1", "wider", ready=ready[:2]) == "Not made yet: small-wider-1, small-wider-2."


def test_what_is_made_is_compared_and_the_rest_is_named(made):
    ready = [run for run in planned_runs(made) if run.entry != "wider"]
    text = section(made, "bern-1", "wider", "nearest", ready=ready)
    assert list(cells(text)) == ["`bern-1`", "`nearest`", "`nearest` - `bern-1`"]
    assert "Not made yet: small-wider-1, small-wider-2." in text
    only = [run for run in ready if run.entry == "nearest"]  # the first, with which all are compared, is missing
    assert section(made, "bern-1", "nearest", ready=only) == "Not made yet: small-bern-1-1, small-bern-1-2."


def test_figures_of_other_photos_are_refused(made, monkeypatch):
    digests = iter("abcdefgh")
    monkeypatch.setattr(measuring, "digest_of", lambda references: next(digests))
    with pytest.raises(InputError, match="different photos or captions"):
        section(made, "bern-1", "nearest")


def test_photos_that_one_run_has_no_caption_of_are_left_out(made, tmp_path):
    folder = copied(made, tmp_path / "copy")
    path = folder / "runs/small-wider-2/captions-val.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(dict([*said.items()][:1])))
    text = section(folder, "bern-1", "wider")
    assert "1 photos (val), seeds 1, 2." in text
    assert all(len(cell) == 1 for cell in cells(text)["`wider`"].values())  # one photo has no interval


def test_a_metric_that_cannot_be_had_here_is_said(made, monkeypatch):
    less = METRICS["METEOR"]._replace(missing=lambda texts: "needs what is not here")
    monkeypatch.setitem(measuring.METRICS, "METEOR", less)
    text = section(made, "bern-1", "wider", metrics=["METEOR", "ROUGE-L"])
    assert "METEOR is skipped: not all runs have it." in text and list(cells(text)["`wider`"]) == ["ROUGE-L"]


def test_an_effects_place_is_named_after_it_and_the_data_set(made, tmp_path):
    sections = command._sections(read_plan(made / "plan.yaml"), "small", planned_runs(made), tmp_path)
    assert list(sections) == ["small", "beams on small"]
    assert sections["beams on small"].startswith("Two beams: Small, 2 photos (val), seeds 1, 2.\n")


def test_seeds_are_those_that_all_entries_with_seeds_have(made):
    runs = planned_runs(made)
    by_entry = {entry: [run for run in runs if run.entry == entry] for entry in ("bern-1", "longer", "nearest")}
    assert _common(list(by_entry.values())) == [2]
    assert _common([by_entry["nearest"]]) == [None]
    assert _common([by_entry["nearest"], []]) == []


def test_a_difference_shows_its_sign():
    assert [_signed(value) for value in (0.1234, -0.1234, 0.0001, -0.0001)] == ["+.123", "-.123", ".000", ".000"]
