"""Scored captions -> the explorer of a page: every photo with its captions, references, scores and failures."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from showtell.data.images import open_image
from showtell.metrics import METRICS
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar
from showtell.report.failures import KINDS
from showtell.report.figures import small_uri
from showtell.report.heat import thumbnail
from showtell.report.page import Explorer
from showtell.scoring.comparison import Comparison

SIDE, LEAST = 280, 96  # pixels of the longer side of a picture
BUDGET = 3_600_000  # characters of all pictures, so that the page stays under 10 MB
TRIED = 16  # pictures that are measured at SIDE before all are made
MOST = 2000  # photos with pictures; of a larger set, only the text is shown
SHOWN = ("BLEU-4", "METEOR", "ROUGE-L", "CIDEr-D", "CIDEr", "CLIPScore", "RefCLIPScore", "SPICE", "length", "repeats-2")

Failing = Callable[[str, str], Mapping[str, str]]  # run, image_id -> kind: why
Values = Mapping[str, Mapping[str, Mapping[str, float]]]  # by metric, by run, by image


def explorer(
    found: Comparison,
    values: Values,
    failing: Failing,
    order: list[str],
    console: Console | None = None,
) -> tuple[Explorer, dict[str, str]]:
    """The explorer, and why some photos cannot be shown. `order` is that of the runs."""
    pictures, unread = thumbnails(found.photos, console)
    metrics = [name for name in SHOWN if values.get(name)]
    metrics = metrics or [found.decides]
    photos = []
    for image_id, references in found.references.items():
        photos.append(
            {
                "name": image_id,
                "picture": pictures.get(image_id, ""),
                "references": references,
                "captions": [found.candidates[run][image_id] for run in order],
                "values": [[_rounded(values, name, run, image_id) for run in order] for name in metrics],
                "failures": [dict(failing(run, image_id)) for run in order],
            }
        )
    some = [kind for kind in KINDS if any(kind in of_run for photo in photos for of_run in photo["failures"])]
    best = found.decides if found.decides in metrics else metrics[0]
    named = [(name, METRICS[name].lower) for name in metrics]
    return Explorer(order, named, some, photos, best), unread


def _rounded(values: Values, metric: str, run: str, image_id: str) -> float | None:
    value = values.get(metric, {}).get(run, {}).get(image_id)
    return None if value is None or value != value else round(value, 4)


def thumbnails(photos: Mapping[str, Path], console: Console | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Small pictures by image_id, and why some photos cannot be read. Too many photos get none."""
    if len(photos) > MOST:
        return {}, {}
    pictures, unread = dict[str, str](), dict[str, str]()
    side = _side(photos)
    with Bar(console or Plain(stderr=True), "shrinking", len(photos), "photo", show=console is not None) as bar:
        for image_id, path in photos.items():
            try:
                pictures[image_id] = _small(path, side)
            except InputError as error:
                unread[image_id] = getattr(error, "reason", str(error))
            bar.advance()
    return pictures, unread


def _small(path: Path, side: int) -> str:
    return small_uri(thumbnail(open_image(path, at_least=side), side))


def _side(photos: Mapping[str, Path]) -> int:
    """The side at which all pictures fit into the budget. A picture of half the side has a quarter of the bytes.

    Example: 1,000 pictures of 18,000 characters at 280 pixels are four times the budget, so they get 140 pixels.
    """
    step = max(1, len(photos) // TRIED)
    sizes = []
    for path in list(photos.values())[::step]:
        with contextlib.suppress(InputError):
            sizes.append(len(_small(path, SIDE)))
    if not sizes:
        return SIDE
    expected = len(photos) * sum(sizes) / len(sizes)
    return min(SIDE, max(LEAST, int(SIDE * (BUDGET / expected) ** 0.5)))
