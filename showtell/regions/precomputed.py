"""Features that somebody computed, by image id: no encoder is built, no photo is opened, and no hub is asked.

Everything that is wrong with them is told when they are opened, before any step: each image's are read once and
checked. After that they are read batch by batch, so 100,000 images fill no memory (a pickle does: it has no parts).
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
from showtell.plumbing.progress import Bar
from showtell.regions.crops import pooled
from showtell.regions.readers import Array, damaged, files_of, open_features
from showtell.settings.bounds import Count

T = TypeVar("T")

WHOLE = (0.0, 0.0, 1.0, 1.0)
OUTSIDE = 0.02  # so far a box may reach beyond the photo, as a detector's do; it is cut there
NO_FEATURES, NO_REGIONS = "no features", "no regions"


class Precomputed(Encoder):
    """`count` regions an image: the first ones of more, and masked ones after fewer; null is as many as any image has.

    `pool` makes the one vector from the real ones. Boxes are (left, top, right, bottom), all images have them or none.
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
        self.path = Path(file).expanduser()
        self.reader, self.units, self.pooling = open_features(self.path), boxes, pool
        if not self.reader.shapes:
            raise InputError(f"regions.file={file}: holds no features")
        self.nowhere = nn.Parameter(torch.empty(0), requires_grad=False)  # goes along to where features shall go
        self.first = next(iter(self.reader.shapes))
        self.dim = self._array(self.first).shape[1]
        if not any(self._counts()):
            raise InputError(
                f"regions.file={file}: none of its {len(self.reader.shapes):,} images has a region; "
                "the features of an image are (N, D) for N regions of D channels, and N is 0 for all"
            )
        self.places = self._boxes(self.first) is not None
        self.count = count or max(self._counts())
        self.image_size, self.trains, self.reloadable = 1, False, True

    @property
    def given(self) -> "Precomputed":  # type: ignore[override]
        return self

    def open(self, records: Sequence[Record], console: Console) -> Opened:
        """The records that have features, each of which is read here once; and those that have none."""
        return open_precomputed(records, self, console)

    @property
    def fingerprint(self) -> str:
        """Of the features it is the files' names, sizes and times, which are known without reading them.

        So it is another where the same features were copied: nothing that is kept may depend on it.
        """
        written = sorted(map(_written, files_of(self.path)))
        return digest(("precomputed", str(self.path), self.count, self.units, self.pooling, *written))

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        raise self._no_encoder()

    def forward(self, pixels: Tensor, view: Tensor) -> Features:
        raise self._no_encoder()

    def _no_encoder(self) -> InputError:
        return InputError(
            f"this run reads features that were computed beforehand (regions.file={self.path}), so it cannot see "
            "another photo; `showtell evaluate` captions those of its data, a run with regions=windows any photo"
        )

    def _counts(self) -> Iterator[int]:
        """How many regions each image has; whoever has none, or another width, is told when it is read."""
        for key in self.reader.shapes:
            shape = self._read(self.reader.shapes.__getitem__, key)
            yield shape[0] if len(shape) == 2 and shape[1] == self.dim else 1

    def _read(self, read: Callable[[str], T], key: str) -> T:
        try:
            return read(key)
        except InputError:
            raise
        except Exception as error:  # a damaged file makes the libraries raise nearly anything
            raise damaged(self.path, error, key) from error

    def _array(self, key: str) -> Array:
        """The features of an image (N D), N being 0 where it has none."""
        array = self._read(self.reader.features, key)
        wide = array.shape[-1] if array.ndim else 0
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2) or not wide:
            raise self._wrong(key, f"is {array.dtype} {array.shape}")
        if key != self.first and wide != self.dim:
            raise self._wrong(key, f"is {array.shape}, and {self.first!r} has {self.dim} channels")
        with np.errstate(over="ignore"):  # what float32 cannot hold is not finite either
            array = np.atleast_2d(array).astype(np.float32)
        if not np.isfinite(array).all():
            raise self._wrong(key, "has numbers that are not finite")
        return array

    def _wrong(self, key: str, what: str) -> InputError:
        return InputError(
            f"regions.file={self.path}: {key!r} {what}; the features of an image are finite numbers, (N, D) for "
            "N regions of D channels, or (D), with the same D for all"
        )

    def _boxes(self, key: str) -> Array | None:
        boxes = self._read(self.reader.boxes, key)
        return None if boxes is None else np.asarray(boxes)

    def find(self, records: Sequence[Record]) -> list[str | None]:
        """The name that each image's features go by: its image_id or its file's name, with the suffix or without."""
        keys = [next((name for name in _names(record) if name in self.reader.shapes), None) for record in records]
        owners: dict[str, str] = {}
        for key, record in zip(keys, records, strict=True):
            if key is not None and owners.setdefault(key, record.image_id) != record.image_id:
                raise InputError(
                    f"regions.file={self.path}: {key!r} would be both {owners[key]!r} and {record.image_id!r}; "
                    "name features by the whole image_id"
                )
        return keys

    def read(self, key: str, photo: Path) -> tuple[Tensor, Tensor]:
        """An image's features (N D) and boxes (N 4) as fractions; the whole image where there are no boxes."""
        array, boxes = self._array(key), self._boxes(key)
        if (boxes is not None) != self.places:
            has, first = ("no boxes", "has") if self.places else ("boxes", "has none")
            raise InputError(f"regions.file={self.path}: {key!r} has {has}, and {self.first!r} {first}")
        if boxes is None:
            return torch.from_numpy(array[: self.count]), torch.tensor(WHOLE).expand(len(array[: self.count]), 4)
        if boxes.shape != (len(array), 4) or boxes.dtype.kind not in "fiu" or not np.isfinite(boxes).all():
            raise self._wrong_boxes(key, f"are {boxes.dtype} {boxes.shape} beside features {array.shape}")
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
            hint = "; are they in pixels? then regions.boxes=pixels" if self.units == "fractions" else ""
            raise self._wrong_boxes(key, far + hint)

    def _wrong_boxes(self, key: str, what: str) -> InputError:
        return InputError(
            f"regions.file={self.path}: the boxes of {key!r} {what}; boxes are (left, top, right, bottom), "
            f"one a region, in {self.units} of the upright photo"
        )


def _written(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:  # a link to nowhere, which is told when its features are read
        return str(path), -1, -1
    return str(path), status.st_size, status.st_mtime_ns


def _names(record: Record) -> Iterator[str]:
    for name in (record.image_id, record.path.name):
        yield name
        yield without_ending(name)  # not `22` for `22.00`, which may be another photo


class Regions:
    """Images whose features are there, as a store is read: `read(rows)` gives the arrays of Features."""

    def __init__(self, encoder: Precomputed, images: Sequence[tuple[str, Path]]) -> None:
        self.encoder, self.images, self.folder = encoder, list(images), encoder.path

    def read(self, rows: Sequence[int]) -> dict[str, Tensor]:
        count, dim = self.encoder.count, self.encoder.dim
        tokens, boxes = torch.zeros(len(rows), count, dim), torch.zeros(len(rows), count, 4)
        mask = torch.zeros(len(rows), count, dtype=torch.bool)
        for place, row in enumerate(rows):
            array, where = self.encoder.read(*self.images[row])
            real = len(array)
            tokens[place, :real], boxes[place, :real], mask[place, :real] = array, where, True
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
    hint = f"features go by image_id, and the first in the file is {encoder.first!r}"
    where = f"regions.file={encoder.path}"
    return Opened(rows, [record for record, _ in kept], left_out, content.hexdigest(), where, hint)


def _why_not(encoder: Precomputed, key: str, photo: Path, note: Callable[[bytes], None]) -> str:
    try:
        features, boxes = encoder.read(key, photo)
        note(features.numpy().tobytes() + boxes.numpy().tobytes())
        return "" if len(features) else NO_REGIONS
    except Unreadable as error:  # boxes in pixels are nowhere without the photo's size
        return error.reason
