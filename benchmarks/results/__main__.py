"""`python -m benchmarks.results NAME=ROOT ...`: train and score what the plan lacks, and write its tables.

If it is stopped or killed, the same command continues. What a finished run measured is kept in `--measured`, so a run
whose folder is gone is not made again; delete its file there to make it anew.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.effects import effect_section
from benchmarks.results.measured import PLACE, gather, is_kept
from benchmarks.results.page import check_markers, write_sections
from benchmarks.results.plan import PACKAGED, Effect, Plan, read_plan
from benchmarks.results.runs import Run, given_of, runs_of
from benchmarks.results.table import section
from benchmarks.results.work import missing, with_needs, work
from showtell.plumbing.errors import ShowtellError
from showtell.recipe.build import build


def main() -> int:
    given = _arguments()
    try:
        plan = read_plan(given.plan)
        roots, files = given_of(plan, given.given)
        if given.split:
            plan.split = given.split
        runs = {name: runs_of(plan, name, root, given.runs, files) for name, root in roots.items()}
        asked = _possible(plan, runs, given.only)
        chosen = with_needs(run for run in asked if run.folder.exists() or not is_kept(run, given.measured))
        if given.dry_run:
            for run in chosen:
                for command in missing(run):
                    print(shlex.join(["showtell", *command]))
            return 0
        shown = [name for name in roots if not given.only or name in {run.dataset for run in asked}]
        check_markers(given.out, [place for name in shown for place in (name, *_effects(plan, name))])
        failures = work(chosen, given.jobs, _say)
        sections: dict[str, str] = {}
        for name in shown:
            sections |= _sections(plan, name, runs[name], given.measured)
        write_sections(given.out, sections)
    except ShowtellError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; run the same command again to continue", file=sys.stderr)
        return 130
    _say(f"written: {given.out}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _possible(plan: Plan, runs: dict[str, list[Run]], only: str | None) -> list[Run]:
    """The runs that are asked for and have the files they need; names the others."""
    for name, dataset in plan.datasets.items():
        if name in plan.roots and name not in runs:
            _say(f"{name}: no root is given, so {dataset.title} is skipped ({name}=DIR)")
    every = [run for of_dataset in runs.values() for run in of_dataset]
    chosen = [run for run in every if not only or only in (run.dataset, run.entry, run.name)]
    if every and not chosen:
        raise ShowtellError(f"--only {only}: the plan has no run, recipe or data set of that name for the data given")
    for run in (run for run in chosen if run.lacks):
        _say(f"{run.name}: no {run.lacks[0]} is given, so it is skipped ({run.lacks[0]}=FILE)")
    return [run for run in chosen if not run.lacks]


def _effects(plan: Plan, name: str) -> dict[str, Effect]:
    """The effects on a data set, by the names of their places on the page."""
    return {f"{key} on {name}": effect for key, effect in plan.effects.items() if name in effect.datasets}


def _sections(plan: Plan, name: str, runs: Sequence[Run], measured: Path) -> dict[str, str]:
    records = [record for record in build(runs[0].checked, "data") if record.references]
    ready = gather(plan, runs, records, measured)
    sections = {name: section(plan, name, runs, ready, records)}
    for place, effect in _effects(plan, name).items():
        sections[place] = effect_section(plan, effect, name, runs, ready)
    return sections


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument(
        "given",
        nargs="*",
        metavar="NAME=PATH",
        help="the folder of a data set, or a file of the plan; the others are skipped",
    )
    parser.add_argument("--plan", type=Path, default=PACKAGED, help="a YAML; benchmarks/results/plan.yaml unless given")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="the folder of the run folders")
    told = "the folder of the figures of finished runs, which are not made again"
    parser.add_argument("--measured", type=Path, default=PLACE, help=told)
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"), help="the page with the markers")
    parser.add_argument("--split", choices=["train", "val", "test"], help="a split other than the plan's")
    parser.add_argument(
        "--only", metavar="NAME", help="only the runs of this data set, recipe or name, and their tables"
    )
    parser.add_argument("--jobs", type=_count, default=1, help="runs at the same time; they share the cores")
    parser.add_argument("--dry-run", action="store_true", help="only print the commands that would run")
    return parser.parse_intermixed_args()  # paths may stand anywhere


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
