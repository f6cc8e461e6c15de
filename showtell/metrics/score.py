"""Texts by image -> scores by metric, each with its interval and a signature that says how it was made.

Nothing is skipped silently. Candidates and references must have the same images. If a metric cannot be computed here,
it is reported with the reason; if the user named it, that is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from showtell.metrics import METRICS
from showtell.metrics.clipscore import make_ready
from showtell.metrics.metric import Metric, PhotosAndTexts, Rows, Texts
from showtell.metrics.names import DEFAULT, chosen
from showtell.metrics.significance import LEVEL, RESAMPLES, intervals
from showtell.metrics.tokenize import NAME, WORDS
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest


@dataclass(frozen=True)
class Score:
    """One metric's value over all images and for each image. Compare only scores with the same signature."""

    name: str
    value: float
    per_image: dict[str, float]
    interval: tuple[float, float] | None
    signature: str


class Scores(dict[str, Score]):
    """Scores by metric. `left_out` says why metrics of a group were skipped.

    `captions` is the checksum of the candidates' file, if there is one. scores.json stores it to detect later changes.
    `made` says which command made the captions, if one did.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out: dict[str, str] = {}
        self.captions = ""
        self.made: dict[str, Any] = {}


def score(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    metrics: str | Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    frequencies_of: Sequence[Sequence[str]] | None = None,
    training: Sequence[str] | None = None,
    photos: Mapping[str, Path] | None = None,
    clip: PhotosAndTexts | None = None,
    protocol: Mapping[str, object] | None = None,
    words: str = NAME,
) -> Scores:
    """Compute each metric over all images; by default all metrics of the groups `standard` and `hidden`.

    `frequencies_of` gives captions of other images for CIDEr's document frequencies (default: the references).
    `training` are the captions that the model was trained on, for `copied`. `photos` and `clip` are for CLIPScore.
    `resamples` is the number of resamples for intervals (0: no intervals). `protocol` is added to the signatures:
    `{"split": "val", "seed": 1}`. `words` is one of WORDS; `characters` is for scripts without blanks between words.
    """
    names = chosen(DEFAULT if metrics is None else metrics)
    check_texts(candidates, references)
    if photos is not None:
        _check_photos(candidates, photos)
    texts = read(candidates, references, frequencies_of, training, photos, clip, words)
    ready, left_out = had(names, texts)
    scores = of_rows(statistics(ready, texts), texts, list(candidates), resamples, protocol=protocol)
    scores.left_out = left_out
    return scores


def had(names: Mapping[str, bool], texts: Texts) -> tuple[list[str], dict[str, str]]:
    """The `chosen` metrics that can be computed for these texts, and why the others cannot.

    Raises InputError if the user named one that cannot.
    """
    left_out: dict[str, str] = {}
    for name, by_name in names.items():
        if reason := METRICS[name].missing(texts):
            if by_name:
                raise InputError(f"{name} {reason}")
            left_out[name] = reason
    return [name for name in names if name not in left_out], left_out


def check_ready(names: Sequence[str], clip: PhotosAndTexts) -> None:
    """Raise InputError before captioning, if a name is wrong or a named metric cannot be computed here."""
    asked = [name for name, by_name in chosen(names).items() if by_name]
    for name in asked:
        if reason := METRICS[name].missing(None):
            raise InputError(f"{name} {reason}")
    make_ready(asked, clip)


def of_rows(
    rows: Mapping[str, Rows],
    texts: Texts,
    image_ids: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    protocol: Mapping[str, object] | None = None,
) -> Scores:
    """The scores of finished `statistics`."""
    spans = intervals([METRICS[name] for name in rows], list(rows.values()), resamples, seed)
    settings = dict(protocol or {})
    if resamples and len(image_ids) > 1:
        settings["interval"] = f"{100 * LEVEL:g} % of {resamples} resamples"
    scores = Scores()
    for (name, of_metric), span in zip(rows.items(), spans, strict=True):
        scores[name] = _score(name, of_metric, span, texts, image_ids, settings)
    return scores


def read(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    frequencies_of: Sequence[Sequence[str]] | None = None,
    training: Sequence[str] | None = None,
    photos: Mapping[str, Path] | None = None,
    clip: PhotosAndTexts | None = None,
    words: str = NAME,
) -> Texts:
    """Tokenize all texts, in the order of the candidates. Raises InputError if `words` is not one of WORDS."""
    if words not in WORDS:
        raise InputError(key="words", value=words, takes=WORDS, near=nearest(words, WORDS))
    tokenize = WORDS[words]
    said, known = list(candidates.values()), [list(references[image_id]) for image_id in candidates]
    return Texts(
        [tokenize(text) for text in said],
        [[tokenize(text) for text in of_image] for of_image in known],
        said=said,
        known=known,
        frequencies_of=frequencies_of and [[tokenize(text) for text in of_image] for of_image in frequencies_of],
        training=training,
        photos=None if photos is None else [photos[image_id] for image_id in candidates],
        clip=clip,
        words=words,
    )


def statistics(names: Sequence[str], texts: Texts) -> dict[str, Rows]:
    """The rows of each metric. Metrics with the same statistics, such as BLEU-1 to BLEU-4, share them."""
    rows: dict[Callable[[Texts], Rows], Rows] = {}
    for name in names:
        make = METRICS[name].statistics
        if make not in rows:
            rows[make] = make(texts)
    return {name: rows[METRICS[name].statistics] for name in names}


def _score(
    name: str,
    rows: Rows,
    interval: tuple[float, float] | None,
    texts: Texts,
    image_ids: Sequence[str],
    protocol: Mapping[str, object],
) -> Score:
    metric, images = METRICS[name], len(image_ids)
    per_image = dict(zip(image_ids, metric.value(rows, 1).tolist(), strict=True))
    value = float(metric.value(rows.sum(axis=0), images))
    return Score(name, value, per_image, interval, _signature(name, metric, texts, protocol))


def _signature(name: str, metric: Metric, texts: Texts, protocol: Mapping[str, object]) -> str:
    counts = sorted({len(of_image) for of_image in texts.references})
    some = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    made = f"showtell {version('showtell')}"
    entries = [
        name,
        made,
        texts.words if metric.tokens == NAME else metric.tokens,
        f"images {len(texts.candidates)}",
        f"references {some}",
    ]
    entries.append(metric.facts(texts))
    for key, value in protocol.items():
        if value is not None:
            entries.append(str(value) if key == "decode" else f"{key} {value}")
    return "|".join(entry for entry in entries if entry)


def to_json(scores: Mapping[str, Score]) -> dict[str, Any]:
    """The content of a scores.json: values with their signatures, and the values of each image."""
    per_image: dict[str, dict[str, float]] = {}
    for name, result in scores.items():
        for image_id, value in result.per_image.items():
            per_image.setdefault(image_id, {})[name] = value
    digest, made = getattr(scores, "captions", ""), getattr(scores, "made", {})
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
    } | {name: value for name, value in {"captions": digest, "made": made}.items() if value}


def check_texts(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    """Raises InputError unless each image has one text as candidate and at least one text as reference."""
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


def _check_photos(candidates: Mapping[str, str], photos: Mapping[str, Path]) -> None:
    if lost := [image_id for image_id in candidates if image_id not in photos]:
        raise InputError(
            f"{len(lost)} of {len(candidates)} candidates have no photo {_first(lost)}; "
            "every candidate needs its own, under the same image id"
        )


def _check_text(what: str, image_id: str, text: object) -> None:
    if not isinstance(text, str):
        raise InputError(f"a {what} of {image_id} is {text!r}, not text; write a string, '' for no words")


def _first(image_ids: Sequence[object]) -> str:
    return f"(first: {', '.join(map(str, image_ids[:3]))})"
