"""Rules between sections."""

from collections.abc import Mapping
from typing import Any

from showtell.captioners import CAPTIONERS
from showtell.metrics import METRICS
from showtell.metrics.copied import COPIED
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.recipe.fixed import LOSS, Train
from showtell.recipe.tables import UNTRAINED, absent
from showtell.settings.schema import schema_of
from showtell.settings.text import Recipe


def check_select(name: str) -> None:
    allowed = [LOSS, *METRICS]
    for each in (part.strip() for part in name.split(",")):
        if each not in allowed:
            raise RecipeError(f"train.select is {name!r}{nearest(each, allowed)}; 'train' takes {', '.join(allowed)}")


def check_reward_names(weights: Mapping[str, float] | None) -> None:
    if weights is None:
        return
    for name in weights:
        if name not in METRICS:
            raise RecipeError(f"train.reward has {name!r}{nearest(name, METRICS)}; it takes {', '.join(METRICS)}")
        if METRICS[name].lower and weights[name] > 0:
            raise RecipeError(
                f"train.reward has {name}: {weights[name]:g}, and less of it is better; give it a weight below 0"
            )
        if not METRICS[name].resampled:
            raise RecipeError(
                f"train.reward has {name}, a figure of a whole set of captions and not of one; leave it out"
            )
        if METRICS[name] is COPIED:
            raise RecipeError(
                f"train.reward has {name}, which would look through all training captions each time; leave it out"
            )
    if not any(weights.values()):
        raise RecipeError(f"train.reward is {weights}; it takes metrics with weights, as {{CIDEr-D: 1, BLEU-4: 0.5}}")


def check_teacher(train: Mapping[str, Any]) -> None:
    if train["teacher"] is not None and train["loss"] != "cross_entropy":
        raise RecipeError(
            f"train.teacher is {train['teacher']!r}, and train.loss={train['loss']} learns from rewards; "
            "leave train.teacher out, or take train.loss=cross_entropy"
        )


def trains(recipe: Recipe) -> bool:
    """Whether a checked recipe's captioner learns by steps."""
    return CAPTIONERS[recipe["captioner"]["name"]].learns


def refuse_neural(recipe: Recipe, captioner: str) -> None:
    """What a recipe sets of sections that do not apply is an error, not left unread."""
    given = [f"{section}.{key}" for section in absent(captioner) for key in recipe.get(section, {})]
    given += [f"train.{key}" for key in recipe.get("train", {}) if key in schema_of(Train).model_fields]
    for name in given:
        if name.removeprefix("train.") not in UNTRAINED:
            why = f"which trains nothing; leave it out (`showtell recipes {captioner}` prints a whole recipe)"
            if captioner == "ensemble":
                why = "whose members have their own; leave it out (`showtell ensemble RUN RUN --run FOLDER` makes one)"
            raise RecipeError(f"{name.removesuffix('.name')} does not apply to captioner {captioner!r}, {why}")
