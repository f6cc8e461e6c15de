"""Chosen photos -> each run's caption of them, and for some runs where each word came from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rich.console import Console

from showtell.captioners.captioner import Captioner
from showtell.data import DATA
from showtell.data.images import open_image
from showtell.explain.explain import explain
from showtell.explain.explanation import Explanation
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, ShowtellError
from showtell.plumbing.messages import nearest
from showtell.plumbing.progress import Bar
from showtell.predict.photos import find_photos
from showtell.recipe.check import check
from showtell.report.heat import overlay
from showtell.report.runs.choose import middle
from showtell.report.runs.read import Run, Runs

WORD_SIDE = 168  # pixels of the longer side of a word's picture
MOST_PHOTOS = 24  # of a folder; a page with more could not be read
HOW = "for each word, the bright part of the photo is where it came from, by the method that is named."
MOST_WORDS = 24  # of a caption, with a picture each
NONE, ALL = "none", "all"


class Word(NamedTuple):
    word: str
    picture: Image.Image  # the photo, bright where the word came from


@dataclass(frozen=True)
class Look:
    """One photo: its references, the caption of each run, and of some runs the words with their maps."""

    image_id: str
    path: Path
    references: Sequence[str]
    captions: Mapping[str, str]
    maps: Mapping[str, Explanation] = field(default_factory=dict)

    def image(self) -> Image.Image:
        return open_image(self.path, at_least=480)

    def words(self, run: str) -> list[Word]:
        if run not in self.maps:
            return []
        image, seen = self.image(), self.maps[run]
        pairs = [(word, weights) for word, weights in zip(seen.words, seen.maps, strict=True) if has_letters(word)]
        return [Word(word, overlay(image, weights, seen.boxes, WORD_SIDE)) for word, weights in pairs[:MOST_WORDS]]


def has_letters(word: str) -> bool:
    """Whether a word is more than punctuation, whose map says nothing."""
    return any(letter.isalnum() for letter in word)


def map_words(captioner: Captioner, image: Image.Image) -> Explanation | None:
    """Where each word of the caption came from, or None if this captioner has no maps.

    All maps of a report come from here, so another way to explain is a change of this function.
    """
    try:
        return explain(captioner, image, share=None)
    except ShowtellError:
        return None


def mapped(found: Runs, asked: Sequence[str] | None) -> list[str]:
    """The runs whose maps are drawn: those that were asked for, or all. Raises InputError for a name that is no run."""
    if asked is None or list(asked) == [ALL]:
        return found.names
    if list(asked) == [NONE]:
        return []
    for name in asked:
        if name not in found.runs:
            near = nearest(name, found.names)
            raise InputError(key="--maps", value=name, takes=[*found.names, ALL, NONE], near=near)
    return list(asked)


def look_at_middle(found: Runs, asked: Sequence[str] | None, console: Console | None = None) -> list[Look]:
    """The photos in the middle of the scores, with the captions that were scored."""
    paths = found.comparison.photos
    chosen = [image_id for image_id in middle(found) if image_id in paths]
    looks = []
    for image_id in chosen:
        captions = {name: found.caption(name, image_id) for name in found.names}
        looks.append(Look(image_id, paths[image_id], found.comparison.references[image_id], captions))
    return list(_with_maps(found, looks, mapped(found, asked), console))


def look_at_folder(
    found: Runs, folder: Path, asked: Sequence[str] | None, console: Console | None = None
) -> tuple[list[Look], dict[str, str]]:
    """The first photos of a folder, captioned now by every run that can; and notes by name on what is not shown.

    References come from the folder itself if it is a data set, else from the report's data by the photo's name.
    """
    every, known = find_photos([folder]), {**_by_name(found), **_own_references(folder)}
    paths = dict(list(every.items())[:MOST_PHOTOS])
    looks, failed = [], dict[str, str]()
    if len(every) > len(paths):
        failed[str(folder)] = f"has {len(every):,} photos; the first {MOST_PHOTOS} are shown"
    with _bar(console, "captioning", len(paths)) as bar:
        for image_id, path in paths.items():
            bar.advance()
            try:
                captions = dict(_captions(found, open_image(path)))
            except InputError as error:
                failed[image_id] = f"cannot be read: {getattr(error, 'reason', error)}"
                continue
            looks.append(Look(image_id, path, known.get(image_id, ()), captions))
    if not looks:
        why = next(iter(failed.values()))
        raise InputError(f"has no photo that can be read (first: {why})", key=f"--photos {folder}")
    return list(_with_maps(found, looks, mapped(found, asked), console)), failed


def _captions(found: Runs, image: Image.Image) -> Iterator[tuple[str, str]]:
    for name, run in found.runs.items():
        if (captioner := driven(run)) is not None:
            yield name, captioner.caption([image])[0].text


def driven(run: Run) -> Captioner | None:
    """The run's captioner, which decodes as the scored captions were decoded."""
    captioner = run.captioner
    if captioner is not None and run.weights != run.folder and captioner.recipe is not None:
        captioner.adopt(check(run.recipe))
    return captioner


def _with_maps(found: Runs, looks: Sequence[Look], names: Sequence[str], console: Console | None) -> Iterator[Look]:
    total = len(looks) * len(names)
    with _bar(console, "looking", total) as bar:
        able = [name for name in names if driven(found.runs[name]) is not None]
        for look in looks:
            maps = {}
            for name in list(able):
                captioner = found.runs[name].captioner
                assert captioner is not None
                bar.advance()
                try:
                    image = captioner.open(look.path)
                except InputError:
                    continue  # the page shows this photo without a picture
                seen = map_words(captioner, image)
                if seen is None:
                    able.remove(name)
                else:
                    maps[name] = seen
            yield Look(look.image_id, look.path, look.references, look.captions, maps)


def _bar(console: Console | None, what: str, total: int) -> Bar:
    return Bar(console or Plain(stderr=True), what, total, "photo", show=console is not None)


def _by_name(found: Runs) -> dict[str, Sequence[str]]:
    """References of the report's photos, by image_id and by the name of the file."""
    known: dict[str, Sequence[str]] = {}
    for record in found.records:
        known[record.path.name] = known[record.image_id] = record.references
    return known


def _own_references(folder: Path) -> dict[str, Sequence[str]]:
    """References that lie in the folder, if it is a data set that Showtell can read."""
    try:
        records = DATA["auto"](root=folder)
    except ShowtellError:
        return {}
    known: dict[str, Sequence[str]] = {}
    for record in records:
        if record.references:
            known[record.path.name] = known[record.image_id] = record.references
    return known
