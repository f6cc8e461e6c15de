"""A captioner and images -> captions, from a source of features or from photos on disk."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console

from showtell.cache import Source, open_source
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.speaking import changed, returns_several
from showtell.captioners.views import encoder_of_views
from showtell.data import Record
from showtell.loading import load
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.messages import count
from showtell.plumbing.progress import Bar
from showtell.predict.photos import find_photos


def caption(
    photos: str | Path | Sequence[str | Path], model: str | Path | Captioner = "tiny", **decode: Any
) -> dict[str, Any]:
    """Caption photos and folders of photos, as `showtell caption` does.

    `model` is a packaged model, a run folder, a Hub id, a folder that transformers saved, or a captioner. `decode`
    changes its decoding, for example `num_beams=3`. Returns file name -> caption; for a photo in a given folder, its
    path within the folder -> caption. With `num_return_sequences=3`, each photo has a list of up to three captions, the
    best first. A photo that cannot be read is skipped with a warning.

    Raises InputError if a path or the model does not exist; RecipeError if the model does not have a decoding option.
    """
    named = [photos] if isinstance(photos, str | Path) else photos
    captioner = model if isinstance(model, Captioner) else load(model)
    several = returns_several(changed(captioner.decode, decode) if captioner.decode else {})
    captions: dict[str, Any] = {}
    for image_id, result in caption_photos(captioner, find_photos([Path(path) for path in named]), **decode):
        if isinstance(result, Unreadable):
            warnings.warn(f"{image_id} is skipped: {result.reason}", stacklevel=2)
        else:
            captions[image_id] = [each.text for each in (result, *result.others)] if several else result.text
    return captions


@torch.no_grad()  # else a trained encoder would keep the activations of every photo for its gradients
def describe_all(
    captioner: Captioner,
    source: Source,
    batch_size: int = 64,
    console: Console | None = None,
    rows: Sequence[int] | None = None,
    **decode: Any,
) -> dict[str, Caption]:
    """A caption for every image of a source, or only for those of `rows`, by image_id."""
    captions: dict[str, Caption] = {}
    rows = range(len(source)) if rows is None else rows
    with Bar(console or Plain(stderr=True), "captioning", len(rows), "photo", show=console is not None) as bar:
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            described = captioner.describe(source(list(some)), **decode)
            captions |= dict(zip((source.records[row].image_id for row in some), described, strict=True))
            bar.advance(len(some))
    return captions


def caption_records(
    captioner: Captioner,
    records: Sequence[Record],
    batch_size: int = 64,
    console: Console | None = None,
    what: str = "photo",
) -> tuple[list[Record], dict[str, Caption]]:
    """The records whose photos can be read, and their captions by image_id.

    A captioner with an encoder reads features, which are cached; one without gets the photos.
    """
    if captioner.encoder is not None:
        seen_by = encoder_of_views(captioner.encoder, captioner.views)
        source = open_source(records, seen_by, console=console, what=what)
        return list(source.records), describe_all(captioner, source, batch_size, console)
    photos = {record.image_id: record.path for record in records}
    results = dict(caption_photos(captioner, photos, batch_size, console))
    captions = {image_id: caption for image_id, caption in results.items() if isinstance(caption, Caption)}
    if console is not None and len(captions) < len(results):
        console.print(f"{len(results) - len(captions):,} of {count(len(results), what)} cannot be read: skipped")
    return [record for record in records if record.image_id in captions], captions


def caption_photos(
    captioner: Captioner,
    photos: Mapping[str, Path],
    batch_size: int = 16,
    console: Console | None = None,
    **decode: Any,
) -> Iterator[tuple[str, Caption | Unreadable]]:
    """(image_id, caption) for each photo, in the order of `photos`, batch by batch; Unreadable if it cannot be read."""
    ids = list(photos)
    batch_size = min(batch_size, captioner.at_once or batch_size)
    works = False
    with (
        ThreadPoolExecutor(4) as pool,
        Bar(console or Plain(stderr=True), "captioning", len(ids), "photo", show=console is not None) as bar,
    ):
        for start in range(0, len(ids), batch_size):
            some = ids[start : start + batch_size]
            opened = pool.map(partial(_open, captioner), (photos[image_id] for image_id in some))
            results: dict[str, Any] = dict(zip(some, opened, strict=True))
            images = {image_id: image for image_id, image in results.items() if isinstance(image, Image.Image)}
            results |= _captions(captioner, images, photos, decode, works)
            works = works or any(isinstance(results[image_id], Caption) for image_id in images)
            yield from results.items()
            bar.advance(len(some))


def _captions(
    captioner: Captioner,
    images: Mapping[str, Image.Image],
    photos: Mapping[str, Path],
    decode: Mapping[str, Any],
    works: bool,
) -> dict[str, Caption | Unreadable]:
    """The captions of a batch. A photo that the model refuses, such as one of 1 x 300 pixels, costs only itself.

    If the model refuses all of them, and `works` does not say that it took earlier ones, its error is raised.
    """
    try:
        return dict(zip(images, captioner.caption(list(images.values()), **decode), strict=True))
    except InputError as error:
        if not works and len(images) == 1:
            raise
        refused = error
    results: dict[str, Caption | Unreadable] = {}
    for image_id, image in images.items():
        try:
            (results[image_id],) = captioner.caption([image], **decode)
        except InputError as error:
            results[image_id] = Unreadable(photos[image_id], str(error))
    if not works and not any(isinstance(result, Caption) for result in results.values()):
        raise refused
    return results


def _open(captioner: Captioner, path: Path) -> Image.Image | Unreadable:
    try:
        return captioner.open(path)
    except Unreadable as error:
        return error
