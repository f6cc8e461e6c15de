"""Photos -> one PNG each. It shows where the model looked in the photo for each word of the caption."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from rich.console import Console

from showtell.captioners import Captioner
from showtell.data.photos import without_ending
from showtell.explain.attention import explain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.files import check_folder, whole
from showtell.plumbing.progress import Bar
from showtell.report.figures import attention_figure, png

LONGEST = 100  # characters of a PNG's name


def explain_photos(
    captioner: Captioner, photos: Mapping[str, Path], folder: Path, console: Console | None = None
) -> Iterator[tuple[str, Path | Unreadable]]:
    """Yield (image_id, path of its PNG in `folder`, or why the photo cannot be read), in the order of `photos`.

    Raises InputError if the decoder has no attention, or if `folder` cannot be written.
    """
    check_folder(folder, "--out")
    names = picture_names(photos, folder)
    with Bar(console or Console(stderr=True), "explaining", len(photos), "photo", show=console is not None) as bar:
        for image_id, path in photos.items():
            try:
                image = captioner.open(path)  # like `caption`, so the captions are the same
            except Unreadable as error:
                yield image_id, error
            else:
                yield image_id, _write(names[image_id], png(attention_figure(image, explain(captioner, image))))
            bar.advance()


def picture_names(photos: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    """A path in `folder` for each image_id. No two are equal, and none is the path of a photo.

    `a/dog.jpg` becomes `a_dog.png`; a second photo with this name becomes `a_dog-2.png`.
    """
    taken = {os.path.realpath(path).lower() for path in photos.values()}  # some file systems treat A and a alike
    names = {}
    for image_id in photos:
        name = without_ending(str(PurePosixPath(image_id.replace("\\", "/")))) if image_id else ""
        name = name.replace("/", "_").replace(":", "_").strip("._ ")[-LONGEST:] or "photo"
        names[image_id], number = folder / f"{name}.png", 1
        while os.path.realpath(names[image_id]).lower() in taken:
            number += 1
            names[image_id] = folder / f"{name}-{number}.png"
        taken.add(os.path.realpath(names[image_id]).lower())
    return names


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise InputError(f"--out {path.parent}: cannot write {path.name} there ({error.strerror})") from None
    return path
