"""Image ids from a captions file + a folder of photos -> the photo of each id."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from showtell.data.folder import bare
from showtell.data.photos import existing_folder
from showtell.plumbing.errors import InputError


def _number(name: str) -> str:
    """The COCO id in a name such as `COCO_val2014_000000391895.jpg`; empty if the name has none.

    >>> _number("COCO_val2014_000000391895.jpg"), _number("7.jpg"), _number("a7.jpg")
    ('391895', '7', '')
    """
    match = re.fullmatch(r"(?:COCO_\w+_)?0*(\d+)", Path(name).stem)
    return match[1] if match else ""


WAYS: tuple[Callable[[str], str], ...] = (  # a photo's path below the folder -> its id: path, name, stem, number
    lambda path: path,
    lambda path: Path(path).name,
    lambda path: Path(path).stem,
    _number,
)


def photos_of(image_ids: Sequence[str], root: Path, key: str = "--photos") -> dict[str, Path]:
    """The photo of each image id. All ids are matched in the same way: the first of WAYS that finds every photo.

    Raises InputError if no way finds all photos, or if an id fits two photos.
    """
    root = existing_folder(root, key)
    try:
        paths = [record.path for record in bare(root=root)]
    except InputError as error:  # there is none
        raise InputError(f"{key}={error}") from None
    best: dict[str, list[Path]] = {}
    for way in WAYS:
        named: dict[str, list[Path]] = {}
        for path in paths:
            named.setdefault(way(path.relative_to(root).as_posix()), []).append(path)
        matches = {image_id: named[image_id] for image_id in image_ids if image_id in named}
        best = max(best, matches, key=len)
        if len(matches) == len(image_ids):
            break
    if lost := [image_id for image_id in image_ids if image_id not in best]:
        wrong = f"is '{root}', without photos for {len(lost):,} of {len(image_ids):,} candidates (first: {lost[0]!r})"
        advice = "an image id must be a photo's path, file name, file name without suffix, or COCO number"
        raise InputError(wrong, key=key, value=str(root), advice=advice)
    for image_id, some in best.items():
        if len(some) > 1:
            one, other = (path.relative_to(root) for path in some[:2])
            wrong = f"is '{root}', which has two photos for {image_id!r}: {one} and {other}"
            raise InputError(wrong, key=key, value=str(root), advice="remove or rename one of them")
    return {image_id: best[image_id][0] for image_id in image_ids}
