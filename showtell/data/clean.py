"""Rows of any format -> Records. This file decides for all formats what is a caption, a photo or a duplicate.

A row that cannot be used is skipped with a reason. It is an error only if no row can be used.

- Rows with the same image_id and split are one photo: their captions are joined.
- If such rows name different files, it is unknown which one is right. All of them are skipped.
- A photo that is listed in two splits stays in the first one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from showtell.data.photos import MISSING, PLACES, Listing, existing_folder, locate
from showtell.data.record import LeftOut, Record, Records, told
from showtell.data.splits import HOLDER, SPLITS, Division
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import HALF, whole_letters

LONGEST = 5_000  # characters; longer text is probably a page in the wrong column
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164]")


class Row(NamedTuple):
    """One unchecked row of a captions file. `split` is None if the data set has no splits."""

    image_id: object
    photo: object  # its name as written in the file
    captions: Sequence[object]
    split: object
    where: str  # file and line, for messages
    folder: object = ""  # the photo's folder, if the file has it as a separate value


@dataclass
class _Image:
    image_id: str
    photo: str
    folder: str
    split: str | None
    captions: list[str] = field(default_factory=list)
    conflict: bool = False


def to_records(
    root: Path,
    rows: Iterable[Row],
    *,
    form: str,
    images: str | None = None,
    division: Division | None = None,
    places: Sequence[str] = PLACES,
    left_out: Iterable[LeftOut] = (),
) -> Records:
    """Records in the order of the rows. `form` begins with the format's name; the reader already skipped `left_out`.

    Raises InputError if no photo exists or no row can be used.
    """
    out = list(left_out)
    merged = [image for image in _merged(rows, out) if _has_captions(image, out)]
    if not merged:
        raise InputError(f"{root}: it has no usable rows, read as {form}: {told(out) or 'it names no photos'}")
    paths = _paths(root, merged, images, places)
    present = _present(merged, paths, out)
    if not present:
        raise InputError(f"{root}: it has no usable rows, read as {form}: {told(out)}")
    split_of: dict[str, str] = {}
    if division is not None and any(image.split is None for image in present):
        split_of, form = division.of(image.image_id for image in present), f"{form}; {division.note}"
    records = (
        Record(i.image_id, paths[id(i)][0], tuple(i.captions), i.split or split_of.get(i.image_id, "train"))
        for i in present
    )
    return Records(records, form=form, left_out=out)


def caption_of(raw: object) -> tuple[str, str]:
    """(the caption on one line, ""), or ("", the reason why it cannot be used).

    >>> caption_of(" A dog\\n runs. "), caption_of("\\t")
    (('A dog runs.', ''), ('', 'empty caption'))
    """
    if not isinstance(raw, str):
        return "", "empty caption" if raw is None else "caption that is not text"
    text = raw
    if not text.isprintable():
        text = HALF.sub("\ufffd", CONTROL.sub(" ", text))
    text = " ".join(text.split())
    if not text or not INVISIBLE.sub("", text).strip():
        return "", "empty caption"
    return (text, "") if len(text) <= LONGEST else ("", f"caption of over {LONGEST:,} characters")


def _merged(rows: Iterable[Row], out: list[LeftOut]) -> Iterable[_Image]:
    images: dict[tuple[str | None, str], _Image] = {}
    for row in rows:
        image = _named(row, out)
        if image is None:
            continue
        known = images.setdefault((image.split, image.image_id), image)
        known.conflict |= (known.folder, known.photo) != (image.folder, image.photo)
        known.captions += _captions(row, out)
    return images.values()


def _named(row: Row, out: list[LeftOut]) -> _Image | None:
    """The row's image without captions; None if its id, photo or split cannot be used."""
    if not isinstance(row.photo, str) or not row.photo.strip() or "\0" in row.photo:
        out.append(LeftOut(row.where, "no photo named"))
        return None
    if isinstance(row.image_id, bool) or not isinstance(row.image_id, str | int) or row.image_id == "":
        out.append(LeftOut(row.where, "no id"))
        return None
    split = row.split.strip().lower() if isinstance(row.split, str) else row.split
    if split is not None and (not isinstance(split, str) or split not in SPLITS):
        out.append(LeftOut(row.where, "unknown split"))
        return None
    folder = row.folder if isinstance(row.folder, str) else ""
    return _Image(whole_letters(str(row.image_id)), row.photo, folder, SPLITS[split] if split is not None else None)


def _captions(row: Row, out: list[LeftOut]) -> list[str]:
    kept = []
    for number, raw in enumerate(row.captions, start=1):
        caption, reason = caption_of(raw)
        if not reason:
            kept.append(caption)
        else:
            where = row.where if len(row.captions) == 1 else f"{row.where} caption {number}"
            out.append(LeftOut(where, reason))
    return kept


def _has_captions(image: _Image, out: list[LeftOut]) -> bool:
    if image.conflict:
        out.append(LeftOut(image.image_id, "one id for different photos"))
    elif not image.captions:
        out.append(LeftOut(image.image_id, "no caption"))
    return bool(image.captions) and not image.conflict


def _paths(root: Path, images: list[_Image], option: str | None, places: Sequence[str]) -> dict[int, tuple[Path, str]]:
    """For each image: the photo's path, and the reason if it cannot be used. Raises InputError if no photo exists."""
    if option is not None:
        places = [option]
        if HOLDER not in option:
            existing_folder(root / option, "data.images")
    listing = Listing()
    photo_of: dict[int, tuple[Path, str]] = {}
    for split in {image.split: None for image in images}:
        of_split = [image for image in images if image.split == split]
        names = [(image.folder, image.photo) for image in of_split]
        paths = locate(root, names, split, places, listing) or [(str(root / name), MISSING) for _, name in names]
        photo_of |= {id(image): (Path(path), why) for image, (path, why) in zip(of_split, paths, strict=True)}
    if all(why == MISSING for _, why in photo_of.values()):
        looked = ", ".join(places)
        raise InputError(
            f"{root}: none of the {len(images):,} photos exists (first: {images[0].photo}); searched in {looked}; "
            "set the photos' folder with data.images=FOLDER"
        )
    return photo_of


def _present(images: list[_Image], paths: dict[int, tuple[Path, str]], out: list[LeftOut]) -> list[_Image]:
    taken: set[tuple[str, Path]] = set()
    kept = []
    for image in images:
        path, reason = paths[id(image)]
        if not reason and (image.image_id, path) in taken:
            reason = "already in another split"
        taken.add((image.image_id, path))
        if reason:
            out.append(LeftOut(image.image_id, reason))
        else:
            kept.append(image)
    return kept
