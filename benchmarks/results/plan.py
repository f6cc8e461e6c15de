"""A plan's YAML -> what is to be trained and scored on which data sets, and which of it is compared."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from yaml import YAMLError

from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest
from showtell.settings.text import read_yaml

PACKAGED = Path(__file__).with_name("plan.yaml")
FILE = re.compile(r"\$(\w+)")  # in an override: a file of this machine

Seeds = Annotated[list[int], Field(min_length=1)]


class Own(BaseModel):
    """What an entry has of its own; a list alone is its overrides. Lists inside it are shared by several entries."""

    model_config = ConfigDict(extra="forbid")
    overrides: list[str] = []
    seeds: Seeds | None = None  # the data set's unless given

    @model_validator(mode="before")
    @classmethod
    def _overrides(cls, given: Any) -> Any:
        return {"overrides": given} if isinstance(given, list) else given

    @field_validator("overrides", mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        if not isinstance(given, list):
            return given
        return [item for each in given for item in (each if isinstance(each, list) else [each])]


class Entry(Own):
    """A recipe to train; or what becomes of the runs of an entry above: put together, or decoded otherwise."""

    recipe: str | None = None  # a name or a path; what the entry is called unless given, or what it begins with
    start: str | None = None  # the entry whose run of the same seed training begins with, and that has its overrides
    ensemble: str | None = None  # the entry whose runs, one a seed, are put together
    decoded: str | None = None  # the entry whose runs are evaluated anew, with these overrides

    @property
    def above(self) -> str | None:
        return self.start or self.ensemble or self.decoded

    @model_validator(mode="after")
    def _one_kind(self) -> "Entry":
        if len([name for name in (self.start, self.ensemble, self.decoded) if name]) > 1:
            raise ValueError("start, ensemble and decoded exclude each other")
        if (self.ensemble or self.decoded) and (self.recipe or self.seeds):
            raise ValueError("recipe and seeds are those of the runs that it is made of; leave them out")
        if self.ensemble and self.overrides:
            raise ValueError("an ensemble takes no overrides; an entry with decoded: of it may have some")
        return self


class DataSet(BaseModel):
    """`overrides` are of every recipe that trains, `of` of single entries."""

    model_config = ConfigDict(extra="forbid")
    title: str
    root_of: str | None = None  # the data set whose root is this one's too: the same photos in another table
    recipes: list[str] | None = None  # the entries that it has; all unless given
    seeds: Seeds = [0]
    data: list[str] = []  # such as data=coco
    overrides: list[str] = []
    of: dict[str, Own] = {}


class Effect(BaseModel):
    """Entries that differ in one thing; each is compared with the first, or with the one before it."""

    model_config = ConfigDict(extra="forbid")
    title: str
    datasets: Annotated[list[str], Field(min_length=1)]
    of: Annotated[list[str], Field(min_length=2)]
    metrics: Annotated[list[str], Field(min_length=1)] = ["CIDEr-D", "BLEU-4", "METEOR", "ROUGE-L"]
    against: Literal["first", "previous"] = "first"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """(what it is compared with, entry)"""
        before = self.of[:-1] if self.against == "previous" else [self.of[0]] * (len(self.of) - 1)
        return list(zip(before, self.of[1:], strict=True))


class Plan(BaseModel):
    """Names of entries are recipes' names or paths, or stand for what the entry says."""

    model_config = ConfigDict(extra="forbid")
    split: Literal["train", "val", "test"] = "val"
    files: dict[str, str] = {}  # what overrides call $NAME -> how the page writes it
    recipes: dict[str, Entry]
    datasets: dict[str, DataSet]
    effects: dict[str, Effect] = {}

    @property
    def roots(self) -> list[str]:
        """The data sets whose roots a command line gives."""
        return [name for name, dataset in self.datasets.items() if dataset.root_of is None]

    def root_of(self, dataset: str) -> str:
        """The name by which the root of a data set is given."""
        return self.datasets[dataset].root_of or dataset

    def entries(self, dataset: str) -> list[str]:
        """What a data set has, in the plan's order."""
        own = self.datasets[dataset].recipes
        return [name for name in self.recipes if own is None or name in own]

    @model_validator(mode="after")
    def _names(self) -> "Plan":
        if problem := next(_wrong(self), None):
            raise ValueError(problem)
        return self


def _wrong(plan: Plan) -> Iterator[str]:
    """What is named and not there, and what may not stand where it stands."""
    names = list(plan.recipes)
    for place, (name, entry) in enumerate(plan.recipes.items()):
        if entry.above and entry.above not in names[:place]:
            wrong = f"recipes.{name}: {entry.above!r} is no entry above it"
            yield str(InputError(wrong, near=nearest(entry.above, names[:place])))
        yield from _no_files(plan, f"recipes.{name}", entry)
    for name, dataset in plan.datasets.items():
        yield from _unknown(f"datasets.{name}.root_of", [dataset.root_of] if dataset.root_of else [], plan.roots)
        for key, given in (("recipes", dataset.recipes or []), ("of", dataset.of)):
            yield from _unknown(f"datasets.{name}.{key}", given, names)
        for entry_name, own in dataset.of.items():
            entry = plan.recipes[entry_name]
            if (entry.ensemble and own.overrides) or (own.seeds and (entry.ensemble or entry.decoded)):
                yield f"datasets.{name}.of.{entry_name}: it has those of the runs that it is made of"
            yield from _no_files(plan, f"datasets.{name}.of.{entry_name}", own)
        has = plan.entries(name)
        if lost := [each for each in has if (above := plan.recipes[each].above) and above not in has]:
            yield f"datasets.{name}.recipes has {lost[0]} without {plan.recipes[lost[0]].above}, of which it is made"
    for name, effect in plan.effects.items():
        yield from _unknown(f"effects.{name}.datasets", effect.datasets, list(plan.datasets))
        yield from _unknown(f"effects.{name}.metrics", effect.metrics, list(METRICS))
        for dataset_name in effect.datasets:
            yield from _unknown(f"effects.{name}.of", effect.of, plan.entries(dataset_name), f" on {dataset_name}")


def _unknown(key: str, given: Any, names: list[str], where: str = "") -> Iterator[str]:
    for name in given:
        if name not in names:
            yield str(InputError(f"{key}: {name!r} is not there{where}", near=nearest(name, names)))


def _no_files(plan: Plan, key: str, own: Own) -> Iterator[str]:
    return _unknown(f"{key}: files", FILE.findall(" ".join(own.overrides)), list(plan.files))


def read_plan(path: Path) -> Plan:
    """InputError where the file holds no plan, with the key that is wrong."""
    try:
        return Plan.model_validate(read_yaml(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{path} is not YAML: {where}{getattr(error, 'problem', error)}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        key = "".join(f"{part}: " if part == problem["loc"][-1] else f"{part}." for part in problem["loc"])
        told = problem["msg"]
        told = told.removeprefix("Value error, ") if problem["type"] == "value_error" else told.lower()
        raise InputError(f"{path}: {key}{told}") from None
