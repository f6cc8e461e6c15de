"""The right label of each photo, from its name, its folder, or a file; photos without one are not scored.

`name`: `7_450.png` is of id 7, `tennis_court_12.jpg` of the label `tennis court` (the longest that fits).
`folder`: `dog/1.jpg` is of `dog`. A file: CSV `filename,label` or JSON `{filename: label}`, with names or ids.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from showtell.data.photos import without_ending
from showtell.data.text import read_json, read_text
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.messages import printable
from showtell.zeroshot.labels import Labels, spoken

Truth = Mapping[str, int]  # image_id -> the label's place
FORMS = "name, folder, or a file: CSV filename,label or JSON {filename: label}"


def read_truth(given: str | Mapping[str, str], photos: Mapping[str, Path], labels: Labels) -> Truth:
    """Raises InputError if a file has an unknown label, or if no photo has a truth."""
    if isinstance(given, Mapping):
        found = _by_file(given, photos, labels, "truth")
    elif given == "name":
        found = {image_id: _of_name(path.name, labels) for image_id, path in photos.items()}
    elif given == "folder":
        places = _places(labels)
        found = {image_id: places.get(_plain(path.absolute().parent.name)) for image_id, path in photos.items()}
    else:
        found = _by_file(_read_file(given), photos, labels, Path(given).name)
    known = {image_id: place for image_id, place in found.items() if place is not None}
    if not known:
        some = printable(next(iter(photos), ""))
        wrong = f"{given if isinstance(given, str) else 'truth'!r} gives no photo a label (first: {some})"
        advice = f"labels are {', '.join(labels.keys[:3])}, .."
        raise InputError(wrong, key="--truth", value=given, takes=FORMS, advice=advice)
    return known


def _of_name(name: str, labels: Labels) -> int | None:
    """The id before the first `_`, or else the longest label that the name begins with."""
    begin = name.partition("_")[0]
    if labels.ids is not None and "_" in name and begin in labels.ids:
        return labels.ids.index(begin)
    stem = _plain(without_ending(name))
    fits = [place for place, label in enumerate(labels.names) if _begins(stem, _plain(label))]
    return max(fits, key=lambda place: len(labels.names[place]), default=None)


def _begins(stem: str, label: str) -> bool:
    """`cat 12` and `cat12` begin with `cat`, `cattle` does not."""
    return stem.startswith(label) and not stem[len(label) : len(label) + 1].isalpha()


def _by_file(said: Mapping[str, str], photos: Mapping[str, Path], labels: Labels, where: str) -> dict[str, int | None]:
    places = _places(labels)
    found: dict[str, int | None] = {}
    for image_id, path in photos.items():
        keys = (image_id, path.name, without_ending(image_id), without_ending(path.name))
        key = next((key for key in keys if key in said), None)
        if key is None:
            continue
        label = _plain(str(said[key]))
        if label not in places:
            takes = f"the labels, such as {', '.join(labels.keys[:3])}"
            raise InputError(f"{where}: {printable(key)} has the unknown label {said[key]!r}", takes=takes)
        found[image_id] = places[label]
    return found


def _places(labels: Labels) -> dict[str, int]:
    """By name, and by id, which wins."""
    named = {_plain(name): place for place, name in enumerate(labels.names)}
    return named | {_plain(key): place for place, key in enumerate(labels.ids or ())}


def _plain(name: str) -> str:
    return spoken(name).casefold()


def _read_file(given: str) -> dict[str, str]:
    path = at_home(given, "--truth ")
    if not path.is_file():
        raise InputError(f"{given!r} is no file", key="--truth", value=given, takes=FORMS)
    if path.suffix.lower() == ".json":
        content, _ = read_json(path)
        if not isinstance(content, dict):
            raise InputError(f"{path.name} holds no truth", takes="{filename: label}")
        return {str(name): str(label) for name, label in content.items()}
    text, _ = read_text(path)
    rows = [row for row in csv.reader(text.splitlines()) if row]
    return dict(_row(row, path) for row in rows if [cell.strip().lower() for cell in row[:2]] != ["filename", "label"])


def _row(row: Sequence[str], path: Path) -> tuple[str, str]:
    if len(row) < 2:
        raise InputError(f"{path.name}: {row[0]!r} has no label", takes="lines such as 1.png,7")
    return row[0], row[1].strip()
