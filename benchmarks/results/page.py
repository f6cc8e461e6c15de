"""Sections of Markdown -> their places between markers of a page; and commands as the page writes them."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.results.plan import Plan
from benchmarks.results.runs import Run, runs_of
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text

SHOWN_ROOT, SHOWN_RUNS = "datasets", "runs/results"  # on the page, wherever they are here


def shown_runs(plan: Plan, name: str) -> list[Run]:
    """The runs with the paths that the page shows, not with the paths of this machine."""
    return runs_of(plan, name, f"{SHOWN_ROOT}/{plan.root_of(name)}", Path(SHOWN_RUNS), plan.files)


def typed(commands: Sequence[Sequence[str]], runs: Sequence[Run], seeds: Sequence[int | None]) -> list[str]:
    """What to type, once or in a shell's loop over the seeds; `commands` and `runs` in them are those of the first."""
    lines = [shlex.join(["showtell", *words]) for words in commands]
    if len(seeds) == 1:
        return lines
    for seed in {str(run.seed) for run in runs if run.seed is not None}:
        seeded = [each for run in runs for each in (run, *run.needs) if each.seed is not None]
        names = {each.name: f"{each.name.removesuffix(seed)}$seed" for each in seeded}
        names[f"train.seed={seed}"] = "train.seed=$seed"
        for written, placed in names.items():
            ends = re.compile(rf"(?<![\w-]){re.escape(written)}(?![\w-])")
            lines = [ends.sub(_constant(placed), line) for line in lines]
    return [f"for seed in {' '.join(map(str, seeds))}; do", *(f"  {line}" for line in lines), "done"]


def number(value: float) -> str:
    """
    >>> number(0.1234), number(-0.5), number(3.6), number(-0.0001)
    ('.123', '-.500', '3.600', '.000')
    """
    return re.sub(r"^(-?)0", r"\1", f"{round(value, 3) + 0.0:.3f}")


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def head(cells: Sequence[str]) -> list[str]:
    return [row(cells), "|---" * len(cells) + "|"]


def quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def check_markers(page: Path, names: Sequence[str]) -> None:
    """InputError if the page has no place for a section; called before hours of training."""
    text = page.read_text("utf-8") if page.exists() else ""
    for name in names:
        if page.exists() and len(_between(name).findall(text)) != 1:
            begin, end = _markers(name)
            raise InputError(f"{page} has no one place for {name}: it takes a line {begin} and below it a line {end}")


def write_sections(page: Path, sections: Mapping[str, str]) -> None:
    """Put each section between its markers and change nothing else. Make the page if it does not exist."""
    made = "".join("\n".join(_markers(name)) + "\n\n" for name in sections)
    text = page.read_text("utf-8") if page.exists() else made
    for name, content in sections.items():
        begin, end = _markers(name)
        text = _between(name).sub(_constant(f"{begin}\n\n{content}\n\n{end}"), text)
    write_text(page, text)


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda found: text


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- made by make results: {name} -->", f"<!-- end of {name} -->"


def _between(name: str) -> re.Pattern[str]:
    begin, end = map(re.escape, _markers(name))
    return re.compile(f"{begin}.*?{end}", re.DOTALL)
