"""Records and an encoder -> a Source of Features, with what can be kept on disk kept there."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console

from showtell.cache.contents import digest_files
from showtell.cache.fill import UNREADABLE, batch_size, device_of, fill, room, stack
from showtell.cache.store import Store
from showtell.data.record import Record
from showtell.encoders.encoder import Encoder
from showtell.errors import InputError
from showtell.features import Features

EDITION = 1  # to be raised when the same fingerprint comes to mean other numbers


def default_folder() -> Path:
    return Path(os.environ.get("SHOWTELL_CACHE") or "~/.cache/showtell").expanduser()


class Source:
    """`source(indices)` gives the Features of some of the records; with gradients, where the encoder trains."""

    def __init__(self, encoder: Encoder, store: Store, rows: Sequence[int], image_ids: Sequence[str]):
        self.encoder, self.image_ids = encoder, list(image_ids)
        self._store, self._rows = store, list(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def folder(self) -> Path:
        return self._store.folder

    def __call__(self, indices: Sequence[int]) -> Features:
        parts = self._store.read([self._rows[index] for index in indices])
        parts = {name: part.to(device_of(self.encoder), non_blocking=True) for name, part in parts.items()}
        if self.encoder.trains:
            return self.encoder.pool(self.encoder(parts["pixels"], parts["view"]))
        features = Features(**parts)
        return self.encoder.pool(features._replace(tokens=features.tokens.float(), pooled=features.pooled.float()))


def open_source(
    records: Sequence[Record],
    encoder: Encoder,
    *,
    folder: Path | None = None,
    console: Console | None = None,
    progress: bool = True,
) -> Source:
    """The records' features, of which those that no earlier run has cached are made now, into `folder`.

    Raises InputError where photos cannot be read (all others are cached by then) or the disk is too small.
    """
    root = folder or default_folder()
    console = console or Console(stderr=True, quiet=not progress)
    kind = "pixels" if encoder.trains else "features"
    place = root / f"{kind}-{EDITION}-{encoder.fingerprint}"
    paths = [record.path for record in records]
    with room(place), ThreadPoolExecutor(os.cpu_count()) as pool:
        store = Store(place)
        root.mkdir(parents=True, exist_ok=True)
        digests = digest_files(paths, root / "contents.sqlite", pool)
    # Of photos with the same content one is encoded. A file without any is tried all the same, for its reason.
    contents = [digest or f"{UNREADABLE}{path}" for digest, path in zip(digests, paths, strict=True)]
    wanted = dict(zip(contents, paths, strict=True))
    failed = {} if wanted.keys() <= store.rows.keys() else fill(store, encoder, wanted, console)
    reasons = [failed[content] for content in contents if content in failed]
    if reasons:
        count = f"{len(reasons):,} of {len(records):,} photos cannot be read"
        raise InputError(f"{count} (first: {reasons[0]}); mend or remove them")
    return Source(encoder, store, [store.rows[content] for content in contents], [r.image_id for r in records])


@torch.no_grad()
def encode(encoder: Encoder, images: Sequence[Image.Image]) -> Features:
    """The Features of a few upright RGB images, live; equal to what a Source gives for the same images."""
    encoder.eval()
    pixels, view = stack([encoder.transform(image) for image in images])
    device, size = device_of(encoder), batch_size(encoder)
    parts = [
        encoder.pool(encoder(p.to(device), v.to(device)))
        for p, v in zip(pixels.split(size), view.split(size), strict=True)
    ]
    return Features(*(torch.cat(part) for part in zip(*parts, strict=True)))
