"""Options of `train` that have no effect beside others: told before training, so that nobody waits for what they do."""

import json
from dataclasses import fields

from showtell.recipe.fixed import Train

READ_WITH = (  # an option, the values with which others are read, and those others
    ("schedule", ("cosine",), ("final_lr",)),
    ("schedule", ("milestones",), ("milestones", "gamma")),
    (
        "loss",
        ("cross_entropy",),
        ("label_smoothing", "attend_all", "scheduled_sampling", "truncate", "captions_per_image"),
    ),
    ("loss", ("self_critical",), ("samples", "reward", "baseline")),
    ("scheduled_sampling", ("linear", "exponential", "inverse_sigmoid"), ("truth",)),
)


def unused(settings: Train, encoder_trains: bool) -> list[str]:
    """
    >>> unused(Train(loss="self_critical", attend_all=1.0, truncate=25), encoder_trains=False)
    ['without effect, as train.loss is self_critical: train.attend_all=1.0, train.truncate=25']
    """
    defaults = {field.name: field.default for field in fields(Train)}
    lines = []
    for option, values, others in READ_WITH:
        now = {name: getattr(settings, name) for name in others if getattr(settings, option) not in values}
        if given := [
            f"train.{name}={_typed(value)}" for name, value in now.items() if value and value != defaults[name]
        ]:
            lines.append(f"without effect, as train.{option} is {getattr(settings, option)}: {', '.join(given)}")
    if settings.encoder_lr is not None and not encoder_trains:
        lines.append(f"without effect, as the encoder is frozen: train.encoder_lr={settings.encoder_lr}")
    if settings.teacher is None and settings.teacher_share != defaults["teacher_share"]:
        lines.append(f"without effect, as there is no train.teacher: train.teacher_share={settings.teacher_share}")
    return lines


def _typed(value: object) -> str:
    """As it is given in an override: `[1]`, not `(1,)`."""
    return value if isinstance(value, str) else json.dumps(value)
