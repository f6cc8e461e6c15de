"""A plan's YAML and the roots of data sets -> the runs to be made, each with its two commands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from showtell.errors import InputError
from showtell.recipe import ABSENT, UNTRAINED, check, trains
from showtell.settings import Recipe, load_recipe, read_yaml

PACKAGED = Path(__file__).with_name("plan.yaml")


class DataSet(BaseModel):
    """`overrides` are of every recipe that trains, `of` of single recipes."""

    model_config = ConfigDict(extra="forbid")
    title: str
    seeds: Annotated[list[int], Field(min_length=1)] = [0]
    data: list[str] = []  # such as data=coco
    overrides: list[str] = []
    of: dict[str, list[str]] = {}


class Plan(BaseModel):
    """`recipes` are names or paths, each with overrides."""

    model_config = ConfigDict(extra="forbid")
    split: Literal["train", "val", "test"] = "val"
    recipes: dict[str, list[str]]
    datasets: dict[str, DataSet]


@dataclass(frozen=True)
class Run:
    """One training of a recipe: where it stands, and what makes and scores it."""

    dataset: str
    recipe: str
    overrides: tuple[str, ...]  # all but the root of the data and the seed
    seed: int | None  # None where nothing trains
    root: str
    folder: Path
    split: str

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def train(self) -> list[str]:
        seed = [] if self.seed is None else [f"train.seed={self.seed}"]
        words = ["train", self.recipe, f"data.root={self.root}", *self.overrides, *seed]
        return [*words, "--run", str(self.folder)]

    @property
    def evaluate(self) -> list[str]:
        return ["evaluate", str(self.folder), "--split", self.split]

    @property
    def checked(self) -> Recipe:
        """The recipe as `showtell train` will check it."""
        return check(load_recipe(self.recipe, self.train[2:-2]))


def read_plan(path: Path) -> Plan:
    """InputError where the file holds no plan, with the key that is wrong."""
    try:
        return Plan.model_validate(read_yaml(path.read_text("utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "the plan"
        raise InputError(f"{path}: {key}: {problem['msg'].lower()}") from None


def runs_of(plan: Plan, name: str, root: str, folder: Path) -> list[Run]:
    """The runs on one data set, recipe by recipe in the plan's order; their recipes are checked here."""
    dataset, runs = plan.datasets[name], []
    for recipe, own in plan.recipes.items():
        learns = trains(check(load_recipe(recipe, [f"data.root={root}", *dataset.data])))
        shared = [item for item in dataset.overrides if learns or not _of_training(item)]
        overrides = (*dataset.data, *own, *shared, *dataset.of.get(recipe, []))
        for seed in dataset.seeds if learns else [None]:
            place = folder / "-".join([name, Path(recipe).stem, *([] if seed is None else [str(seed)])])
            runs.append(Run(name, recipe, overrides, seed, root, place, plan.split))
        check(load_recipe(recipe, runs[-1].train[2:-2]))
    return runs


def roots_of(plan: Plan, given: list[str]) -> Mapping[str, str]:
    """`["ucm=datasets/ucm"]` -> the root of each data set of the plan that is given; a root must be there."""
    roots = dict(item.partition("=")[::2] for item in given)
    for name, root in roots.items():
        if name not in plan.datasets:
            raise InputError(f"{name!r} is no data set of the plan; it has {', '.join(plan.datasets)}")
        if not root:
            raise InputError(f"{name}: no root is given; write {name}=DIR")
        if not Path(root).is_dir():
            raise InputError(f"{name}={root}: no such folder")
    return roots


def _of_training(override: str) -> bool:
    section, _, key = override.partition("=")[0].partition(".")
    return section in ABSENT["nearest"] or (section == "train" and key not in UNTRAINED)
