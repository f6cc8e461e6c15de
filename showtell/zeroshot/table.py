"""Classified photos -> a CSV: `filename,label`, a row for every photo, also for one that cannot be read."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from showtell.plumbing.console import cell
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.zeroshot.classify import Classified

SHORT = ("filename", "label")
LONG = (*SHORT, "name", "probability", "margin", "truth", "top")


def check_table(path: Path) -> None:
    """Before minutes are spent."""
    if path.suffix.lower() != ".csv":
        raise InputError("takes a name that ends in .csv", key="--out", value=str(path))
    if path.is_dir():
        raise InputError("is a folder", key="--out", value=str(path), takes="a file's name")


def write_table(path: Path, found: Classified, *, long: bool = False, skip: bool = False, top: int = 5) -> int:
    """Returns how many rows it has. `skip` omits photos that cannot be read, `long` adds what else is known."""
    rows = list(_rows(found, long, top))
    if skip:
        rows = [row for row in rows if row[0] not in found.failed]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [LONG if long else SHORT, *([cell(value) for value in row] for row in rows)]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_bytes(text.getvalue().encode("utf-8", "backslashreplace"))
    return len(rows)


def _rows(found: Classified, long: bool, top: int) -> Iterator[tuple[str, ...]]:
    """Of a photo that cannot be read: the first label, and nothing else."""
    keys, names = found.labels.keys, found.labels.names
    order, likely = found.order, found.probabilities
    places = {image_id: row for row, image_id in enumerate(found.image_ids)}
    for image_id in found.photos:
        row = places.get(image_id)
        best = 0 if row is None else int(order[row, 0])
        if not long:
            yield image_id, keys[best]
            continue
        truth = keys[found.truth[image_id]] if image_id in found.truth else ""
        if row is None:
            yield image_id, keys[best], names[best], "", "", truth, ""
            continue
        first, second = likely[row, order[row, :2]]
        some = "; ".join(f"{keys[place]}:{likely[row, place]:.4f}" for place in order[row, :top])
        yield image_id, keys[best], names[best], f"{first:.4f}", f"{first - second:.4f}", truth, some
