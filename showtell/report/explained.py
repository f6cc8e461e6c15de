"""Photos -> where each word came from: for each a picture (.png) and its numbers (.npz), and one page of all."""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

from showtell.captioners import Captioner
from showtell.data.photos import without_ending
from showtell.explain.explain import check_method, explain
from showtell.explain.explanation import Explanation
from showtell.explain.words import numbers_of
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.files import check_folder, whole
from showtell.plumbing.messages import printable
from showtell.plumbing.progress import Bar
from showtell.plumbing.reading import open_file, read_json
from showtell.report.explained_page import MADE_BY, MOST, photo_of, write_explained
from showtell.report.figures import png
from showtell.report.strip import attention_figure

LONGEST = 100  # characters of a PNG's name
PAGE = "explained.html"


def explain_photos(
    captioner: Captioner,
    photos: Mapping[str, Path],
    folder: Path,
    console: Console | None = None,
    *,
    model: str = "this model",
    how: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    words: Sequence[str] = (),
) -> Iterator[tuple[str, Path | InputError]]:
    """Yield (image_id, path of its PNG in `folder`, or why there is none), in the order of `photos`; then the page.

    With `words`, pictures show only them; a photo whose caption says none of them has no picture, and at the end come
    the words that no caption says, if others are said: (word, NeverSaid). `model` is its name on the page.
    Raises InputError if the captioner cannot do it, or if `folder` cannot be written or holds something else under a
    name that is needed.
    """
    check_method(how, layer, head)
    check_folder(folder, "--out")
    names = picture_names(photos, folder)
    check_ours(folder, names.values())
    shown: list[dict[str, Any]] = []
    drawn, manner = 0, ""
    never = [*dict.fromkeys(words)]
    with Bar(console or Plain(stderr=True), "explaining", len(photos), "photo", show=console is not None) as bar:
        for image_id, path in photos.items():
            try:
                image = captioner.open(path)  # like `caption`, so the captions are the same
                found = explain(captioner, image, how=how, layer=layer, head=head)
                chosen, missing = _chosen(image_id, found, words)
            except (Unreadable, UnsaidWord) as error:
                yield image_id, error
            else:
                _write(names[image_id], png(attention_figure(image, found, chosen), MADE_BY))
                _write(names[image_id].with_suffix(".npz"), numbers(found))
                drawn, manner = drawn + 1, found.how
                never = [word for word in never if word in missing]
                if len(shown) < MOST:
                    shown.append(photo_of(image_id, image, found))
                yield image_id, names[image_id]
            bar.advance()
    if drawn:
        yield PAGE, write_explained(folder / PAGE, model, shown, manner, drawn)
        for word in never:
            yield word, NeverSaid(f"no caption says {printable(word)!r}")


class UnsaidWord(InputError):
    """Words of --words of which a caption says none."""


class NeverSaid(InputError):
    """A word of --words that no caption says, although others are said."""


def _chosen(image_id: str, found: Explanation, words: Sequence[str]) -> tuple[list[int] | None, list[str]]:
    """The numbers of the wanted words in the caption, None for all; and the wanted words that it does not say.

    Raises UnsaidWord if it says none of them.
    """
    if not words:
        return None, []
    numbers, missing = numbers_of(found.words, words)
    if not numbers:
        listed = ", ".join(map(repr, missing))
        raise UnsaidWord(f"{printable(image_id)}: the caption does not say {listed}; it says: {found.text}")
    return numbers, missing


def numbers(found: Explanation) -> bytes:
    """An .npz with what the picture shows, for plots of one's own. It has no pickles."""
    arrays: dict[str, Any] = {
        "made_by": np.array(MADE_BY),
        "caption": np.array(found.text),
        "how": np.array(found.how),
        "manner": np.array(found.manner),
        "words": np.array(found.words, dtype=np.str_),
        "maps": found.maps.numpy(),
        "boxes": found.boxes.numpy(),
    }
    if found.log_probs is not None:
        arrays["log_probs"] = found.log_probs.numpy()
    if found.deletion is not None:
        arrays["share"] = np.array(found.deletion.share)
        arrays["falls"] = found.deletion.falls.numpy()
        arrays["random_falls"] = found.deletion.chance.numpy()
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


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


def check_ours(folder: Path, pictures: Iterable[Path]) -> None:
    """Raise InputError if a file that would be replaced was not written by `explain`. Nothing is written before."""
    wanted = [folder / PAGE]
    for path in pictures:
        wanted += [path, path.with_suffix(".npz")]
    for path in wanted:
        check_ours_file(path)


def check_ours_file(path: Path) -> None:
    """Raise InputError if a file of this name was not written by `explain`."""
    if os.path.lexists(path) and not is_ours(path):
        wrong = f"has {path.name}, which `showtell explain` did not write"
        raise InputError(f"{path.parent} {wrong}", key="--out", value=str(path.parent), advice="name another folder")


def is_ours(path: Path) -> bool:
    """Whether `explain` wrote this file."""
    try:
        if path.suffix == ".json":
            content = read_json(path)
            return isinstance(content, dict) and content.get("made_by") == MADE_BY
        if path.suffix == ".png":
            with open_file(path) as file, Image.open(file, formats=("PNG",)) as image:
                return bool(image.info.get("Software") == MADE_BY)
        if path.suffix == ".npz":
            with open_file(path) as file, np.load(file, allow_pickle=False) as arrays:
                return "made_by" in arrays.files and str(arrays["made_by"]) == MADE_BY
        with open_file(path) as file:
            return f'content="{MADE_BY}"'.encode() in file.read(2000)
    except (OSError, ValueError, SyntaxError, zipfile.BadZipFile):
        return False


def _write(path: Path, content: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise InputError(f"--out {path.parent}: cannot write {path.name} there ({error.strerror})") from None
    return path
