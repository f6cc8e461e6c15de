"""A captioner and images -> captions: from a source of features, or from photos on disk."""

import contextlib
import csv
import io
import json
import warnings
from collections import Counter
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
from showtell.captioners.views import encoder_of_views
from showtell.data import Record
from showtell.data.folder import bare
from showtell.loading import load
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.messages import count
from showtell.plumbing.progress import Bar


def caption(
    photos: str | Path | Sequence[str | Path], model: str | Path | Captioner = "tiny", **decode: Any
) -> dict[str, str]:
    """Caption photos and folders of photos: `showtell caption` from Python.

    `model` is a packaged model, a run folder, a Hub id or a captioner; `decode` changes its decoding, for example
    `num_beams=3`. Returns one caption for each photo, by file name (by path within its folder, if a folder is named).
    A photo that cannot be read is not in it; a warning says why.

    Raises InputError if a path does not exist or there is no such model, RecipeError for a decoding option that the
    model does not have.
    """
    named = [photos] if isinstance(photos, str | Path) else photos
    captioner = model if isinstance(model, Captioner) else load(model)
    captions: dict[str, str] = {}
    for image_id, found in caption_photos(captioner, find_photos([Path(path) for path in named]), **decode):
        if isinstance(found, Unreadable):
            warnings.warn(f"{image_id} is skipped: {found.reason}", stacklevel=2)
        else:
            captions[image_id] = found.text
    return captions


@torch.no_grad()  # an encoder that trains would keep what its gradients need, of every photo
def describe_all(
    captioner: Captioner, source: Source, batch_size: int = 64, console: Console | None = None, **decode: Any
) -> dict[str, Caption]:
    """A caption for every image of a source, by image_id."""
    found: dict[str, Caption] = {}
    with Bar(console or Console(stderr=True), "captioning", len(source), "photo", show=console is not None) as bar:
        for start in range(0, len(source), batch_size):
            rows = range(start, min(start + batch_size, len(source)))
            captions = captioner.describe(source(list(rows)), **decode)
            found |= dict(zip((source.records[row].image_id for row in rows), captions, strict=True))
            bar.advance(len(rows))
    return found


def caption_records(
    captioner: Captioner,
    records: Sequence[Record],
    batch_size: int = 64,
    console: Console | None = None,
    what: str = "photo",
) -> tuple[list[Record], dict[str, Caption]]:
    """The records whose photos can be read, and the caption of each by image_id.

    A captioner with an encoder reads features, which are cached; another one gets the photos themselves.
    """
    if captioner.encoder is not None:
        seen_by = encoder_of_views(captioner.encoder, captioner.views)
        source = open_source(records, seen_by, console=console, what=what)
        return list(source.records), describe_all(captioner, source, batch_size, console)
    photos = {record.image_id: record.path for record in records}
    said = dict(caption_photos(captioner, photos, batch_size, console))
    found = {image_id: caption for image_id, caption in said.items() if isinstance(caption, Caption)}
    if console is not None and len(found) < len(said):
        console.print(f"{len(said) - len(found):,} of {count(len(said), what)} cannot be read: skipped")
    return [record for record in records if record.image_id in found], found


def caption_photos(
    captioner: Captioner,
    photos: Mapping[str, Path],
    batch_size: int = 16,
    console: Console | None = None,
    **decode: Any,
) -> Iterator[tuple[str, Caption | Unreadable]]:
    """(image_id, its caption, or why it cannot be read), in the order of `photos`, a batch at a time."""
    ids = list(photos)
    with (
        ThreadPoolExecutor(4) as pool,
        Bar(console or Console(stderr=True), "captioning", len(ids), "photo", show=console is not None) as bar,
    ):
        for start in range(0, len(ids), batch_size):
            some = ids[start : start + batch_size]
            opened = pool.map(partial(_open, captioner), (photos[image_id] for image_id in some))
            results: dict[str, Any] = dict(zip(some, opened, strict=True))
            images = {image_id: image for image_id, image in results.items() if isinstance(image, Image.Image)}
            results |= zip(images, captioner.caption(list(images.values()), **decode), strict=True)
            yield from results.items()
            bar.advance(len(some))


def _open(captioner: Captioner, path: Path) -> Image.Image | Unreadable:
    try:
        return captioner.open(path)
    except Unreadable as error:
        return error


def find_photos(paths: Sequence[Path]) -> dict[str, Path]:
    """Photos and folders of photos -> paths by image_id: a photo's name, or its path within its folder.

    Where two share a name, both are called by their paths. A link that leads nowhere, and a folder without photos
    beside other paths (`x.jpg` among a shell's `*.jpg`), are taken along: who reads them says why they are no photos.
    Raises InputError for a path that does not exist.
    """
    if not paths:
        raise InputError("no photo is given; name photos or folders of photos")
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            found += _in_folder(path, alone=len(paths) == 1)
        elif path.exists() or path.is_symlink():
            found.append((path.name, path))
        else:
            raise InputError(f"{path} does not exist; name photos or folders of photos")
    found = list(dict.fromkeys(found))
    times = Counter(image_id for image_id, _ in found)
    named = {image_id if times[image_id] == 1 else path.as_posix(): path for image_id, path in found}
    return named if len(named) == len(found) else {path.as_posix(): path for _, path in found}


def _in_folder(folder: Path, alone: bool) -> list[tuple[str, Path]]:
    try:
        return [(record.image_id, record.path) for record in bare(root=folder)]
    except InputError:
        if alone:
            raise
        return [(folder.name or str(folder), folder)]


class Writer:
    """Captions into a `.json` (`{image_id: caption}`), `.jsonl` or `.csv` file, or nowhere.

    Rows of .jsonl and .csv are on the disk as soon as they are known; .json is written whole at the end. `with` says
    whether the file can be written; what stood in it goes when the first caption is there, or all went well.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.all, self.begun = path, dict[str, str](), False
        if path is not None and path.suffix not in (".json", ".jsonl", ".csv"):
            raise InputError(f"--out is {str(path)!r}; it takes a name that ends in .json, .jsonl or .csv")

    def write(self, image_id: str, caption: Caption) -> None:
        if self.path is None:
            return
        if self._is_json:
            self.all[image_id] = caption.text
        elif self.path.suffix == ".csv":
            self._row(image_id, caption.text)
        else:
            row = {"image_id": image_id, "caption": caption.text, "log_prob": caption.log_prob}
            self._put(json.dumps(row, ensure_ascii=False) + "\n")

    def _row(self, *cells: str) -> None:
        line = io.StringIO()
        csv.writer(line).writerow(cells)
        self._put(line.getvalue())

    def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            if self.file.seekable():  # a pipe has nothing to lose
                self.file.truncate(0)
            if self.path is not None and self.path.suffix == ".csv":
                self._row("image_id", "caption")

    def _put(self, text: str) -> None:
        try:
            self._begin()
            self.file.write(text)
            self.file.flush()
        except OSError as error:
            raise self._unwritable(error) from None

    @property
    def _is_json(self) -> bool:
        return self.path is not None and self.path.suffix == ".json"

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(f"--out {self.path} cannot be written: {error.strerror}")

    def __enter__(self) -> "Writer":
        if self.path is None:
            return self
        try:
            # Names of files may hold bytes that are no letters: escaped, not refused.
            self.file = self.path.open("a", encoding="utf-8", errors="backslashreplace", newline="")
        except OSError as error:
            raise self._unwritable(error) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self.path is not None:
            try:
                if kind is None or self.all:
                    self._put(json.dumps(self.all, ensure_ascii=False, indent=1) + "\n" if self._is_json else "")
            finally:
                with contextlib.suppress(OSError):  # told already
                    self.file.close()
