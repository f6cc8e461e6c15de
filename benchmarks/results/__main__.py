"""`python -m benchmarks.results NAME=ROOT ...`: train and score what the plan lacks, and write its tables.

Stopped or killed at any moment, the same command goes on.
"""

import argparse
import shlex
import sys
from pathlib import Path

from benchmarks.results.plan import PACKAGED, Run, read_plan, roots_of, runs_of
from benchmarks.results.table import check_markers, section, write_sections
from benchmarks.results.work import is_scored, is_trained, missing, work
from showtell.errors import ShowtellError


def main() -> int:
    given = _arguments()
    try:
        plan = read_plan(given.plan)
        roots = roots_of(plan, given.roots)
        if given.split:
            plan.split = given.split
        runs: list[Run] = []
        for name, dataset in plan.datasets.items():
            if name in roots:
                runs += runs_of(plan, name, roots[name], given.runs)
            else:
                _say(f"{name}: no root is given, so {dataset.title} is left out ({name}=DIR)")
        chosen = [run for run in runs if not given.only or given.only in (run.dataset, run.recipe, run.name)]
        if runs and not chosen:
            raise ShowtellError(f"--only {given.only}: no run, recipe or data set of that name is to be made")
        if given.dry_run:
            for run in chosen:
                for command in missing(run):
                    print(shlex.join(["showtell", *command]))
            return 0
        check_markers(given.out, list(roots))
        failures = work(chosen, given.jobs, _say)
        ready = [run for run in runs if is_trained(run) and is_scored(run)]
        sections = {name: section(plan, name, roots[name], [r for r in ready if r.dataset == name]) for name in roots}
        write_sections(given.out, sections)
    except ShowtellError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    _say(f"written: {given.out}")
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("roots", nargs="*", metavar="NAME=ROOT", help="where a data set of the plan is; others wait")
    parser.add_argument("--plan", type=Path, default=PACKAGED, help="a YAML; benchmarks/results/plan.yaml unless given")
    parser.add_argument("--runs", type=Path, default=Path("runs/results"), help="the folder of the run folders")
    parser.add_argument("--out", type=Path, default=Path("docs/results.md"), help="the page with the markers")
    parser.add_argument("--split", choices=["train", "val", "test"], help="another than the plan's")
    parser.add_argument("--only", metavar="NAME", help="make only the runs of this data set, recipe or name")
    parser.add_argument("--jobs", type=_count, default=1, help="runs at once, each with its share of the cores")
    parser.add_argument("--dry-run", action="store_true", help="print the commands that are missing, and do nothing")
    return parser.parse_intermixed_args()  # roots may stand anywhere


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 or more")
    return int(text)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
