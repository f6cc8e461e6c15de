"""Precomputed features, read from a file by image id: no encoder is built and no photo is opened.

Opening reads and checks the features of every image once, so all errors come before training. After that, features are
read batch by batch, so 100,000 images do not fill the memory. Only a pickle must be read as a whole.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor, nn

from showtell.data.images import upright_size
from showtell.data.photos import without_ending
from showtell.data.record import LeftOut, Record
from showtell.encoders.encoder import Encoder, Opened
from showtell.encoders.frozen import digest
from showtell.features import Features
from showtell.plumbing.errors import InputError, Unreadable
from showtell.plumbing.files import at_home
from showtell.plumbing.progress import Bar
from showtell.regions.crops import pooled
from showtell.regions.readers import Array, damaged, files_of, open_features, refused
from showtell.settings.bounds import Count

T = TypeVar("T")

WHOLE = (0.0, 0.0, 1.0, 1.0)
OUTSIDE = 0.02  # a detector's box may reach 2% beyond the photo; it is cut at the photo's edge
NO_FEATURES, NO_REGIONS = "no features", "no regions"


class Precomputed(Encoder):
    """Gives `count` regions per image; null takes the largest number of regions of any image.

    If an image has more, only the first ones are used; if it has fewer, masked padding is added. `pool` computes the
    pooled vector from the real regions. Boxes are (left, top, right, bottom); either all images have boxes or none.
    """

    count: int

    def __init__(
        self,
        *,
        file: str,
        pool: Literal["max", "mean"] = "max",
        count: Count | None = None,
        boxes: Literal["fractions", "pixels"] = "fractions",
    ) -> None:
        super().__init__()
        self.path = at_home(file, "regions.file")
        self.reader, self.units, self.pooling = open_features(self.path), boxes, pool
        if not self.reader.shapes:
            raise refused(self.path, "it has no features")
        self.nowhere = nn.Parameter(torch.empty(0), requires_grad=False)  # its device is where features are moved to
        self.first = next(iter(self.reader.shapes))
        self.dim = self._array(self.first).shape[1]
        if not any(self._counts()):
            wrong = f"none of its {len(self.reader.shapes):,} images has a region"
            raise refused(self.path, wrong, advice="save features of shape (N, D) with N at least 1")
        self.places = self._boxes(self.first) is not None
        self.count = count or max(self._counts())
        self.image_size, self.trains, self.reloadable = 1, False, True

    @property
    def given(self) -> "Precomputed":  # type: ignore[override]
        return self

    def open(self, records: Sequence[Record], console: Console) -> Opened:
        """Read the features of every record once, and separate records with features from those without."""
        return open_precomputed(records, self, console)

    @property
    def fingerprint(self) -> str:
        """A digest of the settings and of the files' names, sizes and times, so that no features are read.

        A copy of the same features has another fingerprint. So nothing on disk may depend on it.
        """
        written = sorted(map(_written, files_of(self.path)))
        return digest(("precomputed", str(self.path), self.count, self.units, self.pooling, *written))

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        raise self._no_encoder()

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        raise self._no_encoder()

    def _no_encoder(self) -> InputError:
        return InputError(
            f"this run reads precomputed features (regions.file={self.path}), so it cannot encode other photos; "
            "caption the photos of its data with `showtell evaluate`, or train a run with regions=windows"
        )

    def _counts(self) -> Iterator[int]:
        """The number of regions of each image; 1 for a wrong shape, which is reported when the image is read."""
        for key in self.reader.shapes:
            shape = self._read(self.reader.shapes.__getitem__, key)
            yield shape[0] if len(shape) == 2 and shape[1] == self.dim else 1

    def _read(self, read: Callable[[str], T], key: str) -> T:
        try:
            return read(key)
        except InputError:
            raise
        except Exception as error:  # a damaged file can make the libraries raise any exception
            raise damaged(self.path, error, key) from error

    def _array(self, key: str) -> Array:
        """The features of an image (N D); N is 0 if it has no region."""
        array = self._read(self.reader.features, key)
        wide = array.shape[-1] if array.ndim else 0
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or not wide:
            raise self._wrong(key, f"is {array.dtype} {array.shape}")
        if key != self.first and wide != self.dim:
            raise self._wrong(key, f"is {array.shape}, but {self.first!r} has {self.dim} channels")
        with np.errstate(over="ignore"):  # numbers that are too large for float32 become infinite
            array = np.atleast_2d(array).astype(np.float32)
        if not np.isfinite(array).all():
            raise self._wrong(key, "has infinite or NaN values")
        return array

    def _wrong(self, key: str, what: str) -> InputError:
        takes = "finite numbers of shape (N, D) for N regions of D channels, or (D); D is the same for all"
        return refused(self.path, f"{key!r} {what}", taker="an image takes", takes=takes)

    def _boxes(self, key: str) -> Array | None:
        boxes = self._read(self.reader.boxes, key)
        return None if boxes is None else np.asarray(boxes)

    def find(self, records: Sequence[Record]) -> list[str | None]:
        """The name of each image's features: its image_id or file name, with or without suffix; None if it has none."""
        keys = [next((name for name in _names(record) if name in self.reader.shapes), None) for record in records]
        owners: dict[str, str] = {}
        for key, record in zip(keys, records, strict=True):
            if key is not None and owners.setdefault(key, record.image_id) != record.image_id:
                wrong = f"{key!r} fits both {owners[key]!r} and {record.image_id!r}"
                raise refused(self.path, wrong, advice="name features by the whole image_id")
        return keys

    def read(self, key: str, photo: Path) -> tuple[Tensor, Tensor]:
        """An image's features (N D) and boxes (N 4), as fractions. Without boxes, every box is the whole image."""
        array, boxes = self._array(key), self._boxes(key)
        if (boxes is not None) != self.places:
            has, first = ("no boxes", "has") if self.places else ("boxes", "has none")
            wrong = f"{key!r} has {has}, but {self.first!r} {first}"
            raise refused(self.path, wrong, advice="save boxes for all images or for none")
        if boxes is None:
            return torch.from_numpy(array[: self.count]), torch.tensor(WHOLE).expand(len(array[: self.count]), 4)
        if boxes.shape != (len(array), 4) or boxes.dtype.kind not in "fiu" or not np.isfinite(boxes).all():
            raise self._wrong_boxes(key, f"are {boxes.dtype} {boxes.shape}, but its features are {array.shape}")
        boxes = boxes.astype(np.float32)
        if self.units == "pixels":
            width, height = upright_size(photo)
            boxes = boxes / np.array([width, height, width, height], dtype=np.float32)
        self._check_boxes(key, boxes)
        return torch.from_numpy(array[: self.count]), torch.from_numpy(boxes.clip(0, 1)[: self.count])

    def _check_boxes(self, key: str, boxes: Array) -> None:
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise self._wrong_boxes(key, "end before they begin")
        if boxes.size and (boxes.min() < -OUTSIDE or boxes.max() > 1 + OUTSIDE):
            far = f"reach from {boxes.min():.4g} to {boxes.max():.4g} of the photo"
            advice = "if they are in pixels, set regions.boxes=pixels" if self.units == "fractions" else None
            raise self._wrong_boxes(key, far, advice)

    def _wrong_boxes(self, key: str, what: str, advice: str | None = None) -> InputError:
        takes = f"(left, top, right, bottom) for each region, in {self.units} of the upright photo"
        wrong = f"the boxes of {key!r} {what}"
        return refused(self.path, wrong, taker="boxes are", takes=takes, advice=advice)


def _written(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:  # a broken link, which is reported when its features are read
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def _names(record: Record) -> Iterator[str]:
    for name in (record.image_id, record.path.name):
        yield name
        yield without_ending(name)  # `22.00` stays `22.00`, because `22` may be another photo


class Regions:
    """Images with features, with the `read` of a store: row numbers -> the arrays of Features."""

    def __init__(self, encoder: Precomputed, images: Sequence[tuple[str, Path]]) -> None:
        self.encoder, self.images, self.folder = encoder, list(images), encoder.path

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]:
        count, dim = self.encoder.count, self.encoder.dim
        tokens, boxes = torch.zeros(len(rows), count, dim), torch.zeros(len(rows), count, 4)
        mask = torch.zeros(len(rows), count, dtype=torch.bool)
        for place, row in enumerate(rows):
            array, own_boxes = self.encoder.read(*self.images[row])
            real = len(array)
            tokens[place, :real], boxes[place, :real], mask[place, :real] = array, own_boxes, True
        return Features(tokens, mask, pooled(tokens, mask, self.encoder.pooling), boxes)._asdict()


def open_precomputed(records: Sequence[Record], encoder: Precomputed, console: Console) -> Opened:
    kept: list[tuple[Record, str]] = []
    left_out: list[LeftOut] = []
    keys, content = encoder.find(records), blake2b(digest_size=16)
    with Bar(console, "checking features", len(records), "photo") as bar:
        for record, key in zip(records, keys, strict=True):
            reason = NO_FEATURES if key is None else _why_not(encoder, key, record.path, content.update)
            if reason:
                left_out.append(LeftOut(record.image_id, reason))
            elif key is not None:
                kept.append((record, key))
            bar.advance()
    rows = Regions(encoder, [(key, record.path) for record, key in kept])
    hint = f"features are named by image_id; the first name in the file is {encoder.first!r}"
    where = f"regions.file={encoder.path}"
    return Opened(rows, [record for record, _ in kept], left_out, content.hexdigest(), where, hint)


def _why_not(encoder: Precomputed, key: str, photo: Path, note: Callable[[bytes], None]) -> str:
    try:
        features, boxes = encoder.read(key, photo)
        note(features.numpy().tobytes() + boxes.numpy().tobytes())
        return "" if len(features) else NO_REGIONS
    except Unreadable as error:  # boxes in pixels need the photo's size
        return error.reason
