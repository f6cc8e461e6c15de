"""A recipe's plain dict -> checked sections and built parts: the signatures in the tables are the schema.

The keyword-only arguments of the chosen callable are what its section may set; pydantic reads them, and only the
wording of the errors is ours.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from showtell.clip import DEFAULT as CLIP
from showtell.clip.protocols import Name as ClipProtocol
from showtell.data import DATA
from showtell.decode import STRATEGIES
from showtell.decode import check as check_ranges
from showtell.decode.options import HIGHEST
from showtell.decoders import DECODERS
from showtell.encoders import ENCODERS
from showtell.encoders.encoder import Encoder
from showtell.encoders.turned import Views
from showtell.metrics import METRICS
from showtell.metrics.copied import COPIED
from showtell.metrics.names import select as check_names
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.regions import REGIONS
from showtell.retrieval import Neighbours
from showtell.settings.bounds import Count, Positive, Share
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS

Samples = Annotated[int, Field(ge=2, le=HIGHEST["num_return_sequences"])]
LOSS = "loss"  # what `train.select` calls the validation loss; all its other names are metrics


@dataclass(frozen=True, kw_only=True)
class Train:
    """How a captioner is trained. Images are counted by their captions: a batch is `batch_size` captions."""

    epochs: Count = 30
    max_steps: Count | None = None
    batch_size: Count = 64
    captions_per_image: Count = 5  # an image is encoded once for so many of its captions
    accumulate: Count = 1
    lr: Positive = 1e-3
    encoder_lr: Positive | None = None  # of an encoder that trains; the same as lr where not given
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    schedule: Literal["cosine", "milestones", "constant"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 100
    final_lr: Share = 0.05  # where the cosine ends, as a share of lr
    milestones: tuple[Count, ...] = ()  # epochs after which lr is multiplied by gamma
    gamma: Positive = 0.2
    clip: Positive = 1.0
    label_smoothing: Share = 0.1
    loss: Literal["cross_entropy", "self_critical"] = "cross_entropy"
    samples: Samples = 5  # captions drawn of each image, where the loss is self_critical
    reward: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None  # by metric; CIDEr-D where not given
    baseline: Literal["mean", "greedy"] = "mean"  # what a drawn caption must beat
    attend_all: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0  # weight of doubly stochastic attention
    scheduled_sampling: Literal["none", "linear", "exponential", "inverse_sigmoid"] = "none"
    truth: Annotated[float, Field(gt=0, le=1)] = 0.75  # where it ends: how likely the next input is the true word
    truncate: Count | None = None  # words after which backpropagation stops
    augment: Views = "none"  # the views of a photo that training sees
    start: str | None = None  # a run whose weights and tokenizer training begins with
    teacher: str | None = None  # a run or an ensemble whose probabilities are learnt beside people's words
    teacher_share: Annotated[float, Field(gt=0, le=1)] = 0.5  # of the loss
    ema: Share = 0.0  # decay of a moving average of the weights, which validation and the saved models use; 0: none
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    select: str = (
        "CIDEr-D"  # the validation metric that names the best epoch, or `loss`; of `A,B` B where A cannot be had
    )
    validate_every: Count = 1
    patience: Count | None = None  # validations without a better one before training stops
    save_every: Count = 200
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    tensorboard: bool = False
    wandb: Literal["off", "offline", "online"] = "off"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """What `showtell evaluate` computes."""

    metrics: tuple[str, ...] = ("standard", "hidden")
    batch_size: Count = 64
    clip: str = CLIP  # the model of CLIPScore, as `showtell.clip.Clip` takes it
    clip_protocol: ClipProtocol = "paper"


def neural(*, views: Views = "none") -> None:
    """Encoder, decoder and tokenizer, trained, of which each has its section; it captions by the mean over `views`."""


def ensemble(*, members: Annotated[tuple[str, ...], Field(min_length=2)], views: Views = "none") -> None:
    """Folders of trained captioners, as paths from the folder of the ensemble; `showtell ensemble` writes them."""


PARTS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "data": DATA,
    "encoder": ENCODERS,
    "regions": REGIONS,
    "tokenizer": TOKENIZERS,
    "decoder": DECODERS,
    "decode": STRATEGIES,
    # CAPTIONERS, which stands below, has the same names.
    "captioner": {"neural": neural, "nearest": Neighbours, "ensemble": ensemble},
}
FIXED: dict[str, Callable[..., Any]] = {"train": Train, "evaluate": Evaluate}
DEFAULTS = {"data": "auto", "encoder": "lite", "tokenizer": "words", "decoder": "transformer", "decode": "beam"}
DEFAULTS |= {"captioner": "neural", "regions": "none"}
ABSENT: dict[str, tuple[str, ...]] = {  # sections that a captioner has no use for
    "nearest": ("tokenizer", "decoder", "decode"),
    "ensemble": ("encoder", "regions", "tokenizer", "decoder"),  # each member has its own
}
NESTED = {"data": ("sets", "root"), "encoder": ("parts", "name")}  # a list of such sections, and what a word there sets
UNTRAINED = ("seed", "device", "precision")  # what is left of `train` where nothing trains

TAKES = {  # what pydantic found wrong -> what the option takes
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "too_short": "a list of at least {min_length}",
    "dict_type": "a mapping, as {{CIDEr-D: 1}}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "{le:g} or less",
}


def check(recipe: Recipe) -> Recipe:
    """The recipe with every option of every section filled in and checked, as plain values that YAML can hold.

    Raises RecipeError for a section, part, option or value that is not allowed, before anything is built.
    """
    for section in recipe:
        if section not in PARTS and section not in FIXED:
            allowed = [*PARTS, *FIXED]
            raise RecipeError(
                f"{section} is not a section{nearest(section, allowed)}; sections are {', '.join(allowed)}"
            )
    sections = [*PARTS, *FIXED]
    captioner = _checked("captioner", recipe.get("captioner", {}))["name"]
    if captioner != "neural":
        _refuse_neural(recipe, captioner)
        sections = [section for section in sections if section not in ABSENT[captioner]]
    asked = recipe.get("evaluate", {}).get("metrics")
    if isinstance(asked, str):
        check_names(asked)  # of an unknown name no list is wanted
    checked = {section: _checked(section, recipe.get(section, {})) for section in sections}
    if captioner != "neural":
        checked["train"] = {key: checked["train"][key] for key in UNTRAINED}
    if "decode" in checked:
        check_ranges(**checked["decode"])
    if captioner == "neural":
        _check_select(checked["train"]["select"])
        _check_reward(checked["train"]["reward"])
        _check_teacher(checked["train"])
        check_positions(checked["decoder"].get("max_length"), checked["decode"].get("max_length"))
    check_names(checked["evaluate"]["metrics"])
    return checked


def _check_select(name: str) -> None:
    allowed = [LOSS, *METRICS]
    for each in (part.strip() for part in name.split(",")):
        if each not in allowed:
            raise RecipeError(f"train.select is {name!r}{nearest(each, allowed)}; 'train' takes {', '.join(allowed)}")


def _check_reward(weights: Mapping[str, float] | None) -> None:
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


def _check_teacher(train: Mapping[str, Any]) -> None:
    if train["teacher"] is not None and train["loss"] != "cross_entropy":
        raise RecipeError(
            f"train.teacher is {train['teacher']!r}, and train.loss={train['loss']} learns from rewards; "
            "leave train.teacher out, or take train.loss=cross_entropy"
        )


def check_positions(positions: int | None, longest: int | None) -> None:
    """The last token of a caption is never read, so the decoder needs a position less than the caption is long."""
    if positions is not None and longest is not None and longest > positions + 1:
        raise RecipeError(
            f"decode.max_length is {longest}; it takes at most {positions + 1} where decoder.max_length is {positions}"
        )


def trains(recipe: Recipe) -> bool:
    """Whether a checked recipe's captioner learns by steps."""
    return bool(recipe["captioner"]["name"] == "neural")


def _refuse_neural(recipe: Recipe, captioner: str) -> None:
    """What a recipe sets of sections that do not apply is an error, not left unread."""
    given = [f"{section}.{key}" for section in ABSENT[captioner] for key in recipe.get(section, {})]
    given += [f"train.{key}" for key in recipe.get("train", {}) if key in _schema(Train).model_fields]
    for name in given:
        if name.removeprefix("train.") not in UNTRAINED:
            why = f"which trains nothing; leave it out (`showtell recipes {captioner}` prints a whole recipe)"
            if captioner == "ensemble":
                why = "whose members have their own; leave it out (`showtell ensemble RUN RUN --run FOLDER` makes one)"
            raise RecipeError(f"{name.removesuffix('.name')} does not apply to captioner {captioner!r}, {why}")


def part(recipe: Recipe, section: str) -> Callable[..., Any]:
    """The entry of the section's table that the recipe chose."""
    if section not in recipe:
        raise RecipeError(f"{section} does not apply to captioner {recipe['captioner']['name']!r}")
    return _chosen(section, recipe[section].get("name", DEFAULTS.get(section)))


def options(recipe: Recipe, section: str) -> dict[str, Any]:
    """The section's keyword arguments, typed as the chosen callable has them."""
    return _validated(section, recipe[section]).model_dump()


def build(recipe: Recipe, section: str, *arguments: Any) -> Any:
    """Call the chosen part of a section with the section's options."""
    return part(recipe, section)(*arguments, **options(recipe, section))


def build_encoder(recipe: Recipe) -> Encoder:
    """The encoder with its regions around it; regions that take no encoder stand in its place, and none is built."""
    parameters = inspect.signature(part(recipe, "regions")).parameters.values()
    around = any(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    encoder: Encoder = build(recipe, "regions", *([_build_seeing(recipe)] if around else []))
    return encoder


def _build_seeing(recipe: Recipe) -> Encoder:
    try:
        encoder: Encoder = build(recipe, "encoder")
    except RecipeError as error:  # by itself it knows its options, and not whose section they stand in
        raise RecipeError(f"{'' if str(error).startswith('encoder') else 'encoder.'}{error}") from None
    return encoder


def _checked(section: str, values: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """`key` is what the user knows the section by: `data.sets[1]` where it stands inside of another."""
    key = key or section
    name = {} if section in FIXED else {"name": values.get("name", DEFAULTS[section])}
    checked = name | _validated(section, values, key).model_dump(mode="json")
    option, word = NESTED.get(section, ("", ""))
    if isinstance(nested := checked.get(option), list):
        sections = [each if isinstance(each, dict) else {word: each} for each in nested]
        checked[option] = [_checked(section, each, f"{key}.{option}[{number}]") for number, each in enumerate(sections)]
    return checked


def _chosen(section: str, name: Any, key: str | None = None) -> Callable[..., Any]:
    if section in FIXED:
        return FIXED[section]
    table = PARTS[section]
    if not isinstance(name, str) or name not in table:
        raise RecipeError(f"{key or section}.name is {name!r}{nearest(name, table)}; it takes {', '.join(table)}")
    return table[name]


def _validated(section: str, values: dict[str, Any], key: str | None = None) -> BaseModel:
    name = section if section in FIXED else values.get("name", DEFAULTS[section])
    schema = _schema(_chosen(section, name, key))
    given = {key: value for key, value in values.items() if key != "name" or section in FIXED}
    try:
        return schema.model_validate({key: _no_number(schema, key, value) for key, value in given.items()})
    except ValidationError as error:
        raise RecipeError(_wording(key or section, name, given, schema, error)) from None


@cache
def _schema(chosen: Callable[..., Any]) -> type[BaseModel]:
    function = chosen.__init__ if inspect.isclass(chosen) else chosen
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(chosen).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return create_model("Options", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)


def _wording(section: str, name: str, given: dict[str, Any], schema: type[BaseModel], error: ValidationError) -> str:
    problem = error.errors()[0]
    key, kind, allowed = str(problem["loc"][0]), problem["type"], list(schema.model_fields)
    if kind in ("extra_forbidden", "invalid_key"):
        takes = ", ".join(allowed) if allowed else "no options"
        hint = "; to set a format's options name it, as in data=csv" if name == "auto" else nearest(key, allowed)
        return f"{section}.{key} is not an option of {name!r}; it takes {takes}{hint}"
    if kind == "missing":
        return f"{section}.{key} is missing: {name!r} needs it; give {section}.{key}=VALUE"
    choices = _choices(schema.model_json_schema()["properties"][key])
    if choices:
        return f"{section}.{key} is {given[key]!r}{nearest(given[key], choices)}; {name!r} takes {', '.join(choices)}"
    takes = problem["msg"].removeprefix("Input should be ")
    if kind in TAKES:
        takes = TAKES[kind].format(**problem.get("ctx", {}))
    if kind == "tuple_type" and isinstance(given[key], str | int | float):
        takes += f": [{given[key]}]"
    if len(problem["loc"]) > 1 and isinstance(given[key], list):
        takes = f"a list in which each is {takes}"
    return f"{section}.{key} is {given[key]!r}; it takes {takes}"


def _no_number(schema: type[BaseModel], key: str, value: Any) -> Any:
    """True and false are numbers in Python, and a slip where a recipe wants a number: as text they are refused."""
    if not isinstance(value, bool) or key not in schema.model_fields:
        return value
    option = schema.model_json_schema()["properties"][key]
    kinds = {entry.get("type") for entry in (option, *option.get("anyOf", []))}
    return str(value).lower() if kinds & {"integer", "number"} else value


def _choices(schema: dict[str, Any]) -> list[str]:
    """The words that a Literal allows, and what else may stand in its place; nothing where there is no Literal."""
    found = [schema, *schema.get("anyOf", [])]
    words = [str(word) for entry in found for word in entry.get("enum", [entry["const"]] if "const" in entry else [])]
    others = {"integer": "a whole number", "number": "a number", "null": "null"}
    return words and words + [others[entry["type"]] for entry in found if entry.get("type") in others]
