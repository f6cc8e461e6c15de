"""A recipe's YAML and `key=value` overrides -> one plain dict of sections. Only the form is checked here.

`encoder=lite` means `encoder.name=lite`. If an override chooses another part, the recipe's other keys of that section
are dropped, and keys from the command line stay. So `encoder=lite` makes any recipe run offline.
"""

import os
import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.messages import nearest
from showtell.plumbing.reading import HALF, RECIPE, read_text

Recipe = dict[str, dict[str, Any]]
DEEPEST, MOST_VALUES = 32, 20_000  # levels and values of a recipe
VERSION = "showtell"  # the key in a saved recipe for the version that wrote it


class _Loader(yaml.SafeLoader):
    """YAML as people expect it: `4e-4` is a number, `off` and `2024-05-01` are texts.

    YAML 1.1 would read them as a text, false and a date. An alias stands for a copy of what it names, and the copies
    count: with `a: &a [x, x]`, `b: &b [*a, *a]` and so on, ten lines of YAML are a thousand values.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._sizes: dict[int, int] = {}  # of a finished node: the values in it, aliases counted as copies
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        alias = self.check_event(yaml.events.AliasEvent)
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if alias and id(node) not in self._sizes:
            raise ValueError("an alias names a part that holds the alias, which would never end")
        if not alias:
            inside = node.value if isinstance(node, yaml.CollectionNode) else []
            below = (each for entry in inside for each in (entry if isinstance(entry, tuple) else [entry]))
            self._sizes[id(node)] = 1 + sum(self._sizes[id(each)] for each in below)
        if self._sizes[id(node)] > MOST_VALUES:
            raise ValueError(f"it has more than {MOST_VALUES:,} values")
        return node

    def construct_yaml_int(self, node: Any) -> int:
        number: int = super().construct_yaml_int(node)
        if number.bit_length() > 64:
            raise ValueError("it has a whole number of more than 64 bits")
        return number

    def construct_yaml_str(self, node: Any) -> str:
        text: str = super().construct_yaml_str(node)
        if HALF.search(text):
            raise ValueError("it has half of a pair of UTF-16, which is no letter")
        return text


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)

_BOOL, _DATE = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in (_BOOL, _DATE)]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_yaml(text: str) -> Any:
    """Plain values only. Raises yaml.YAMLError or ValueError, also for what is too deep or grows too large."""
    return yaml.load(text, Loader=_Loader)


def same(before: object, now: object, alike: Callable[[object, object], bool] | None = None) -> bool:
    """Whether two values mean the same: they are equal, or paths of one place, also inside lists and dicts.

    `alike` replaces the comparison of paths.

    >>> same([{"root": "./photos"}], [{"root": "runs/../photos"}]), same(["a"], ["a", "b"])
    (True, False)
    """
    if before == now:
        return True
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(same(*each, alike) for each in zip(before, now, strict=True))
    if isinstance(before, dict) and isinstance(now, dict):
        return before.keys() == now.keys() and all(same(value, now[key], alike) for key, value in before.items())
    return (alike or same_place)(before, now)


def same_place(before: object, now: object) -> bool:
    """Whether two values are paths of the same place, even if they are written differently.

    >>> same_place("runs/../photos", "./photos"), same_place("photos", "runs/photos"), same_place("a", 1)
    (True, False, False)
    """
    if not isinstance(before, str) or not isinstance(now, str) or "/" not in before + now:
        return False
    return Path(os.path.expanduser(before)).resolve() == Path(os.path.expanduser(now)).resolve()  # noqa: PTH111


def packaged_recipes() -> dict[str, str]:
    """The text of every recipe that comes with Showtell, by name."""
    files = sorted((resources.files("showtell") / "recipes").iterdir(), key=lambda file: file.name)
    return {file.name[:-5]: file.read_text("utf-8") for file in files if file.name.endswith(".yaml")}


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """The sections of a packaged recipe or of a YAML file, with overrides applied in order.

    Raises RecipeError if there is no such recipe or an override is not of the form `section.key=value`.
    """
    packaged = packaged_recipes()
    if name_or_path in packaged:
        text = packaged[name_or_path]
    elif os.path.lexists(name_or_path) and not os.path.isdir(name_or_path):  # noqa: PTH112 - says no for what it may not see
        recipe = read_recipe_file(Path(name_or_path))
        recipe.pop(VERSION, None)
        return override(_since_0_2(recipe), overrides)
    else:
        raise RecipeError(
            f"there is no recipe {name_or_path!r}",
            value=name_or_path,
            takes=packaged,
            taker="packaged are",
            near=nearest(name_or_path, packaged),
            advice="or give the path of a YAML file",
        )
    return override(_sections(text, name_or_path), overrides)


def read_recipe_file(path: Path) -> Recipe:
    """The sections of a YAML file. Raises RecipeError if it is not YAML, or not a recipe."""
    try:
        text = read_text(path, RECIPE)
    except InputError as error:
        raise RecipeError(error.wrong, key=str(path)) from None
    return _sections(text, str(path))


def _sections(text: str, source: str) -> Recipe:
    try:
        recipe = read_yaml(text)
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else " ".join(str(error).split())
        raise RecipeError(f"{source} is not YAML: {reason}") from None
    if not isinstance(recipe, dict) or not all(isinstance(section, dict | str) for section in recipe.values()):
        raise RecipeError(f"{source} is not a recipe", takes="sections such as `encoder: {name: lite}`")
    sections = {name: {"name": section} if isinstance(section, str) else section for name, section in recipe.items()}
    return {name: _renamed(section) if name == "train" else section for name, section in sections.items()}


def _renamed(train: dict[str, Any]) -> dict[str, Any]:
    """Options of `train` by their names of today: `encoder_lr` became the rate of language models too."""
    return {"pretrained_lr" if key == "encoder_lr" else key: value for key, value in train.items()}


# Options that Showtell 0.1 had in `train` -> the loss whose section has them now.
MOVED = ("label_smoothing", "attend_all", "scheduled_sampling", "truth", "truncate", "teacher", "teacher_share")
MOVED_TO = {
    **dict.fromkeys(MOVED, "cross_entropy"),
    **dict.fromkeys(("samples", "reward", "baseline"), "self_critical"),
}


def _since_0_2(recipe: Recipe) -> Recipe:
    """Move the options of the loss from `train`, where Showtell 0.1 wrote them, into the section `loss`.

    >>> _since_0_2({"train": {"lr": 0.1, "loss": "cross_entropy", "label_smoothing": 0.0, "samples": 5}})
    {'train': {'lr': 0.1}, 'loss': {'name': 'cross_entropy', 'label_smoothing': 0.0}}
    """
    train = recipe.get("train", {})
    if "loss" in recipe or not {"loss", *MOVED_TO} & train.keys():
        return recipe
    name = train.get("loss", "cross_entropy")
    loss = {key: value for key, value in train.items() if MOVED_TO.get(key) == name}
    kept = {key: value for key, value in train.items() if key != "loss" and key not in MOVED_TO}
    return {**recipe, "train": kept, "loss": {"name": name, **loss}}


def override(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with `section.key=value` items applied.

    >>> override({"encoder": {"name": "timm", "model": "resnet101"}}, ["encoder=lite", "encoder.image_size=160"])
    {'encoder': {'name': 'lite', 'image_size': 160}}
    """
    given: Recipe = {}
    for item in overrides:
        section, key, value = _parse(item)
        given.setdefault(section, {})[key] = value
    result = {name: dict(section) for name, section in recipe.items()}
    for section, changes in given.items():
        old = result.get(section, {})
        same_part = changes.get("name", old.get("name")) == old.get("name")
        result[section] = (old if same_part else {}) | changes
    return result


def _parse(item: str) -> tuple[str, str, Any]:
    key, equals, text = item.partition("=")
    section, _, name = key.partition(".")
    if section == "train" and (name == "loss" or name in MOVED_TO):
        now = f"loss={text}" if name == "loss" else f"loss.{name}={text}"
        raise RecipeError("is in the section loss since Showtell 0.2", key=key, value=text, advice=f"write {now}")
    if key == "train.encoder_lr":
        raise RecipeError("is called train.pretrained_lr now", key=key, advice=f"write train.pretrained_lr={text}")
    if not equals or not section or "." in name:
        raise RecipeError(
            f"{item!r} is not an override", value=item, takes="section.key=value, such as train.epochs=10"
        )
    try:
        value = read_yaml(text)
    except (yaml.YAMLError, ValueError):
        value = text
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        value = text  # `decoder.prompt=Image Caption:` is a phrase
    return section, name or "name", value
