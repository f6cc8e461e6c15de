"""Warn before training about options that another one disables, for example `gamma` without `schedule=milestones`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from showtell.recipe.tables import defaults
from showtell.settings.text import Recipe

READ_WITH = (  # (section, option), its values that need other options, and these other options
    (("train", "schedule"), ("cosine",), ("final_lr",)),
    (("train", "schedule"), ("milestones",), ("milestones", "milestone_unit")),
    (("train", "schedule"), ("milestones", "plateau"), ("gamma",)),
    (("train", "schedule"), ("plateau",), ("plateau",)),
    (("loss", "name"), ("cross_entropy",), ("captions_per_image",)),
    (("loss", "scheduled_sampling"), ("linear", "exponential", "inverse_sigmoid"), ("truth",)),
)


def unused(recipe: Recipe, encoder_trains: bool) -> list[str]:
    """One line for each option that is set but has no effect.

    >>> from showtell.recipe.check import load_recipe
    >>> unused(load_recipe("bern-6", ["encoder=lite", "data.root=x", "train.gamma=0.1"]), encoder_trains=False)
    ['train.gamma=0.1 has no effect, because train.schedule is cosine']
    """
    lines = []
    for (section, option), values, others in READ_WITH:
        now = recipe[section].get(option)
        if now is None or now in values:
            continue
        home = "train" if option == "name" else section
        if given := _changed(recipe[home], others, defaults(recipe, home)):
            name = section if option == "name" else f"{section}.{option}"
            lines.append(_no_effect(home, given, f"{name} is {now}"))
    rate, frozen = recipe["train"]["pretrained_lr"], not encoder_trains and not _trains_pretrained(recipe)
    if rate is not None and frozen:
        lines.append(_no_effect("train", [f"pretrained_lr={rate}"], "no pretrained part trains"))
    if recipe["peft"]["name"] != "all" and _is_random(recipe):
        reason = "nothing names them: set decoder.weights or train.start, or take peft=all"
        lines.append(f"peft={recipe['peft']['name']} freezes weights that are drawn at random, because {reason}")
    loss = recipe["loss"]
    if loss.get("teacher", "") is None and (given := _changed(loss, ("teacher_share",), defaults(recipe, "loss"))):
        lines.append(_no_effect("loss", given, "there is no loss.teacher"))
    if loss.get("labels", "caption") != "caption" and not recipe["tokenizer"].get("prompt"):
        lines.append(_no_effect("loss", [f"labels={loss['labels']}"], "there is no tokenizer.prompt"))
    return lines


def _trains_pretrained(recipe: Recipe) -> bool:
    """Whether weights of a pretrained language model train, as far as the recipe says."""
    has_language_model = recipe["decoder"]["name"] in ("gpt2", "language_model")
    return has_language_model and (recipe["peft"]["name"] == "all" or bool(recipe["peft"].get("trainable")))


def _is_random(recipe: Recipe) -> bool:
    """Whether the language model begins with random weights."""
    drawn = recipe["decoder"]["name"] == "transformer" or recipe["decoder"].get("weights") == "random"
    return drawn and recipe["train"]["start"] is None


def _no_effect(section: str, given: Sequence[str], reason: str) -> str:
    names = ", ".join(f"{section}.{each}" for each in given)
    return f"{names} {'has' if len(given) == 1 else 'have'} no effect, because {reason}"


def _changed(section: Mapping[str, Any], names: tuple[str, ...], usual: Mapping[str, Any]) -> list[str]:
    """`name=value` of the options that differ from their defaults."""
    given = {name: section[name] for name in names if section.get(name) and section[name] != usual.get(name)}
    return [f"{name}={_typed(value)}" for name, value in given.items()]


def _typed(value: object) -> str:
    """The value as an override writes it: `[1]`, not `(1,)`."""
    return value if isinstance(value, str) else json.dumps(value)
