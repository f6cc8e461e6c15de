"""Texts by image -> scores by metric, each with the signature that says how it was made.

Nothing is left out silently: candidates and references must be of the same images.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from showtell import metrics as room
from showtell.errors import InputError
from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.tokenize import NAME, tokenize

GROUPS = {"BLEU": ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4"]}


@dataclass(frozen=True)
class Score:
    """One metric's value over all images, its value for each, and what one must know to compare it."""

    name: str
    value: float
    per_image: dict[str, float]
    interval: tuple[float, float] | None
    signature: str


def score(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    metrics: str | Sequence[str] | None = None,
    **protocol: object,
) -> dict[str, Score]:
    """Each metric (all of the table unless given) over all images, the texts tokenized once.

    `protocol` is what the signatures shall also say: `split="val", decode="beam num_beams=5", seed=1`.
    """
    names = select(room.METRICS if metrics is None else metrics)
    _check(candidates, references)
    texts = Texts(
        [tokenize(text) for text in candidates.values()],
        [[tokenize(text) for text in references[image_id]] for image_id in candidates],
    )
    rows: dict[Callable[[Texts], Rows], Rows] = {}
    scores = {}
    for name in names:
        metric = room.METRICS[name]
        if metric.statistics not in rows:  # BLEU-1 to BLEU-4 have the same
            rows[metric.statistics] = metric.statistics(texts)
        scores[name] = _score(name, metric, rows[metric.statistics], texts, list(candidates), protocol)
    return scores


def _score(
    name: str, metric: Metric, rows: Rows, texts: Texts, image_ids: list[str], protocol: Mapping[str, object]
) -> Score:
    per_image = dict(zip(image_ids, map(float, metric.per_image(rows)), strict=True))
    return Score(name, metric.aggregate(rows), per_image, None, _signature(name, metric, texts, protocol))


def _signature(name: str, metric: Metric, texts: Texts, protocol: Mapping[str, object]) -> str:
    counts = sorted({len(of_image) for of_image in texts.references})
    some = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    parts = [name, f"showtell {version('showtell')}", NAME, f"images {len(texts.candidates)}", f"references {some}"]
    parts.append(metric.facts)
    for key, value in protocol.items():
        if value is not None:
            parts.append(str(value) if key == "decode" else f"{key} {value}")
    return "|".join(part for part in parts if part)


def to_json(scores: Mapping[str, Score]) -> dict[str, Any]:
    """What a scores.json holds: the values with their signatures, and the values of each image."""
    per_image: dict[str, dict[str, float]] = {}
    for name, result in scores.items():
        for image_id, value in result.per_image.items():
            per_image.setdefault(image_id, {})[name] = value
    return {
        "scores": {
            name: {
                "value": result.value,
                "interval": list(result.interval) if result.interval else None,
                "signature": result.signature,
            }
            for name, result in scores.items()
        },
        "per_image": per_image,
    }


def select(metrics: str | Iterable[str]) -> list[str]:
    """Names as a user writes them (any case, `BLEU` for all four, `a,b` for several) -> names as the table has them."""
    known = {name: [name] for name in room.METRICS} | GROUPS
    written = {name.lower(): name for name in known}
    asked = [metrics] if isinstance(metrics, str) else metrics
    names: dict[str, None] = {}
    for name in (part.strip() for text in asked for part in text.split(",")):
        if name.lower() not in written:
            close = [written[text] for text in difflib.get_close_matches(name.lower(), written, n=1)]
            nearest = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(f"{name!r} is not a metric; there are {', '.join(known)}{nearest}")
        names.update(dict.fromkeys(known[written[name.lower()]]))
    if not names:
        raise InputError(f"no metric is asked for; there are {', '.join(known)}")
    return list(names)


def _check(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    if not candidates:
        raise InputError("there are no candidates to score; pass a caption for at least one image")
    if lost := [image_id for image_id in candidates if image_id not in references]:
        raise InputError(
            f"{len(lost)} of {len(candidates)} candidates have no references {_first(lost)}; "
            "every candidate needs at least one, under the same image id"
        )
    if lost := [image_id for image_id in references if image_id not in candidates]:
        raise InputError(
            f"{len(lost)} of {len(references)} images with references have no candidate {_first(lost)}; "
            "pass the references of the evaluated images only"
        )
    for image_id, text in candidates.items():
        _check_text("candidate", image_id, text)
    for image_id, texts in references.items():
        if isinstance(texts, str) or not isinstance(texts, Sequence):
            raise InputError(f"the references of {image_id} are {texts!r}, not a list of texts; write [text, ...]")
        for text in texts:
            _check_text("reference", image_id, text)
    if lost := [image_id for image_id, texts in references.items() if not texts]:
        raise InputError(
            f"{len(lost)} of {len(references)} images have an empty list of references {_first(lost)}; "
            "every image needs at least one"
        )


def _check_text(what: str, image_id: str, text: object) -> None:
    if not isinstance(text, str):
        raise InputError(f"a {what} of {image_id} is {text!r}, not text; write a string, '' for no words")


def _first(image_ids: Sequence[object]) -> str:
    return f"(first: {', '.join(map(str, image_ids[:3]))})"
