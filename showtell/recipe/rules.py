"""Rules between the options of a recipe. Each is a small function of the checked recipe; RULES is their order."""

from collections.abc import Callable
from functools import partial

from showtell.captioners import CAPTIONERS
from showtell.decode.options import check as check_ranges
from showtell.decode.options import check_positions
from showtell.metrics import METRICS
from showtell.metrics.copied import COPIED
from showtell.metrics.names import select
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.recipe.fixed import LOSS, Train
from showtell.recipe.tables import UNTRAINED, absent
from showtell.settings.schema import schema_of
from showtell.settings.text import Recipe


def trains(recipe: Recipe) -> bool:
    """Whether the captioner of a checked recipe learns with training steps."""
    return CAPTIONERS[recipe["captioner"]["name"]].learns


def decoding_in_range(recipe: Recipe) -> None:
    check_ranges(**recipe.get("decode", {}))


def known_selection(recipe: Recipe) -> None:
    """`train.select` is a metric, `loss`, or several of them with commas between."""
    allowed = [LOSS, *METRICS]
    names = recipe["train"].get("select", LOSS)
    for each in (part.strip() for part in names.split(",")):
        if each not in allowed:
            raise RecipeError(key="train.select", value=names, takes=allowed, near=nearest(each, allowed))


def rewards_of_one_caption(recipe: Recipe) -> None:
    """A reward metric must score one caption, fast, and a higher reward must be better."""
    weights = recipe.get("loss", {}).get("reward")
    if weights is None:
        return
    wrong = partial(RecipeError, key="loss.reward", value=weights)
    for name, weight in weights.items():
        if name not in METRICS:
            raise wrong(f"has {name!r}", takes=METRICS, near=nearest(name, METRICS))
        if METRICS[name].lower and weight > 0:
            raise wrong(f"has {name}: {weight:g}, but a lower {name} is better", advice="give it a weight below 0")
        if not METRICS[name].resampled:
            raise wrong(f"has {name}, which scores a whole set of captions, not one caption", advice="remove it")
        if METRICS[name] is COPIED:
            raise wrong(f"has {name}, which would search all training captions in every step", advice="remove it")
    if not any(weights.values()):
        raise wrong(takes="metrics with weights, for example {CIDEr-D: 1, BLEU-4: 0.5}")


def captions_within_positions(recipe: Recipe) -> None:
    """`decode.max_length` may not be longer than the decoder can read."""
    check_positions(recipe.get("decoder", {}).get("max_length"), recipe.get("decode", {}).get("max_length"))


def known_metrics(recipe: Recipe) -> None:
    select(recipe["evaluate"]["metrics"])


RULES: tuple[Callable[[Recipe], None], ...] = (
    decoding_in_range,
    known_selection,
    rewards_of_one_caption,
    captions_within_positions,
    known_metrics,
)


def refuse_neural(recipe: Recipe, captioner: str) -> None:
    """Raise RecipeError for an option of a section that this captioner never reads, for example `decoder.dim`."""
    given = [f"{section}.{key}" for section in absent(captioner) for key in recipe.get(section, {})]
    given += [f"train.{key}" for key in recipe.get("train", {}) if key in schema_of(Train).model_fields]
    for name in given:
        if name.removeprefix("train.") not in UNTRAINED:
            why = "which trains nothing"
            advice = f"remove it (`showtell recipes {captioner}` prints a whole recipe)"
            if captioner == "ensemble":
                why = "whose members have their own"
                advice = "remove it (`showtell ensemble RUN RUN --run FOLDER` makes an ensemble)"
            raise RecipeError(
                f"does not apply to captioner {captioner!r}, {why}", key=name.removesuffix(".name"), advice=advice
            )
