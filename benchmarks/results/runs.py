"""A plan and where its data lie -> the runs, each a folder with the commands that make and score it."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.results.plan import FILE, Entry, Own, Plan
from showtell.losses import LOSSES
from showtell.plumbing.errors import InputError
from showtell.recipe.check import check
from showtell.recipe.rules import trains
from showtell.recipe.tables import UNTRAINED, absent
from showtell.settings.text import Recipe, load_recipe, override
from showtell.training.together import recipe_of

Kind = Literal["trained", "ensemble", "decoded"]


class Given(NamedTuple):
    """What the command line says of this machine: roots by data set, and the files that overrides name."""

    roots: Mapping[str, str]
    files: Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """What stands in one folder. `needs` are the runs it begins with, puts together, or decodes."""

    dataset: str
    entry: str
    kind: Kind
    recipe: str
    overrides: tuple[str, ...]  # all but the root of the data, the start and the seed
    seed: int | None  # None where nothing trains
    root: str
    folder: Path
    split: str
    needs: tuple["Run", ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def make(self) -> list[str]:
        """Nothing where the weights are another run's."""
        if self.kind == "decoded":
            return []
        if self.kind == "ensemble":
            return ["ensemble", *(str(run.folder) for run in self.needs), "--run", str(self.folder)]
        return ["train", self.recipe, *self._settings, "--run", str(self.folder)]

    @property
    def _settings(self) -> list[str]:
        start = [f"train.start={run.folder}" for run in self.needs]
        seed = [] if self.seed is None else [f"train.seed={self.seed}"]
        return [f"data.root={self.root}", *self.overrides, *start, *seed]

    @property
    def evaluate(self) -> list[str]:
        if self.kind == "decoded":
            source = str(self.needs[0].folder)
            return ["evaluate", source, *self.overrides, "--split", self.split, "--out", str(self.folder)]
        return ["evaluate", str(self.folder), "--split", self.split]

    @property
    def checked(self) -> Recipe:
        """The recipe as the commands will check it."""
        if self.kind == "trained":
            return check(load_recipe(self.recipe, self._settings))
        first = self.needs[0].checked
        if self.kind == "decoded":
            return check(override(first, self.overrides))
        return recipe_of(first, len(self.needs))

    @property
    def lacks(self) -> list[str]:
        """The files that nobody gave and that it, or what it is made of, needs."""
        own = FILE.findall(" ".join(self.overrides))
        return list(dict.fromkeys([*own, *(name for run in self.needs for name in run.lacks)]))


def runs_of(plan: Plan, name: str, root: str, folder: Path, files: Mapping[str, str] | None = None) -> list[Run]:
    """The runs on one data set, entry by entry in the plan's order; their recipes are checked here."""
    runs: dict[str, list[Run]] = {}
    for entry in plan.entries(name):
        runs[entry] = _runs_of_entry(plan, name, entry, root, folder, files or {}, runs)
        for run in runs[entry][-1:]:
            _ = run.checked
    return [run for of_entry in runs.values() for run in of_entry]


def _runs_of_entry(
    plan: Plan, name: str, entry: str, root: str, folder: Path, files: Mapping[str, str], above: Mapping[str, list[Run]]
) -> list[Run]:
    given, own, dataset = plan.recipes[entry], plan.datasets[name].of.get(entry, Own()), plan.datasets[name]
    recipe, inherited = given.recipe or entry, [*dataset.data]
    if given.start and given.recipe is None:
        recipe, inherited = above[given.start][0].recipe, [*above[given.start][0].overrides]

    def run(kind: Kind, overrides: Sequence[str], seed: int | None) -> Run:
        place = folder / "-".join([name, Path(entry).stem, *([] if seed is None else [str(seed)])])
        needs = _needs(given, entry, name, seed, above)
        return Run(name, entry, kind, recipe, _last(overrides, files), seed, root, place, plan.split, needs)

    if given.ensemble:
        return [run("ensemble", [], None)]
    if given.decoded:
        return [run("decoded", [*given.overrides, *own.overrides], each.seed) for each in above[given.decoded]]
    learns = trains(check(load_recipe(recipe, [f"data.root={root}", *dataset.data])))
    shared = [item for item in dataset.overrides if learns or not _of_training(item)]
    overrides = [*inherited, *given.overrides, *shared, *own.overrides]
    seeds = own.seeds or given.seeds or dataset.seeds
    return [run("trained", overrides, seed) for seed in (seeds if learns else [None])]


def _needs(given: Entry, entry: str, name: str, seed: int | None, above: Mapping[str, list[Run]]) -> tuple[Run, ...]:
    if given.above is None:
        return ()
    runs = above[given.above]
    if given.ensemble:
        if len(runs) < 2:
            raise InputError(
                f"{entry} puts the runs of {given.ensemble} together, of which {name} has one; give it "
                f"more seeds, or leave {entry} out of datasets.{name}.recipes"
            )
        return tuple(runs)
    found = [run for run in runs if run.seed == seed]
    if not found:
        raise InputError(f"{entry} begins with {given.above} of seed {seed}, which {name} has not; give both it")
    return (found[0],)


def _last(overrides: Sequence[str], files: Mapping[str, str]) -> tuple[str, ...]:
    """The last override of each key, with the files in their places. A loss drops the options of another loss."""
    kept = {item.partition("=")[0]: item for item in overrides}
    if "loss" in kept:
        takes = inspect.signature(LOSSES[kept["loss"].partition("=")[2]]).parameters
        kept = {key: item for key, item in kept.items() if not key.startswith("loss.") or key[5:] in takes}
    return tuple(FILE.sub(lambda found: files.get(found[1], found[0]), item) for item in kept.values())


def given_of(plan: Plan, words: Sequence[str]) -> Given:
    """`["ucm=datasets/ucm", "vgg16=vgg16.ckpt"]` -> the roots and files that are given; all must be there."""
    roots: dict[str, str] = {}
    files: dict[str, str] = {}
    for name, path in (item.partition("=")[::2] for item in words):
        if name in plan.roots:
            if not path:
                raise InputError(f"{name}: no root is given; write {name}=DIR")
            if not Path(path).is_dir():
                raise InputError(f"{name}={path}: no such folder")
            roots |= {each: path for each in plan.datasets if plan.root_of(each) == name}
        elif name in plan.files:
            if not Path(path).is_file():
                raise InputError(f"{name}={path}: no such file")
            files[name] = path
        else:
            known = [", ".join(names) for names in (plan.roots, plan.files) if names]
            raise InputError(f"{name!r} is no data set of the plan; it has {', and files '.join(known)}")
    return Given(roots, files)


def _of_training(item: str) -> bool:
    section, _, key = item.partition("=")[0].partition(".")
    return section in absent("nearest") or (section == "train" and key not in UNTRAINED)
