"""Records and an encoder -> a Source of Features, with a cache on disk."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from showtell.cache.contents import digest_files
from showtell.cache.fill import UNREADABLE, batch_size, device_of, fill, room, stack
from showtell.cache.store import Store
from showtell.data.record import LeftOut, Record, told
from showtell.encoders.encoder import Encoder, Opened, Rows
from showtell.features import Features, Seen, each
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import cache_folder
from showtell.plumbing.messages import count

EDITION = 2  # raise it if an unchanged fingerprint would give other features


def default_folder() -> Path:
    return cache_folder()


class Source:
    """`source(indices)` returns the Features of some of `records`; with gradients if the encoder trains.

    `records` are those whose photos could be read; `left_out` are the others.
    """

    def __init__(
        self,
        encoder: Encoder,
        store: Rows,
        rows: Sequence[int],
        records: Sequence[Record],
        left_out: Sequence[LeftOut] = (),
        content: str = "",
    ):
        """`content` is a digest of the photos, or of precomputed features."""
        self.encoder, self.records, self.left_out = encoder, list(records), tuple(left_out)
        self._store, self._rows, self.content = store, list(rows), content

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def folders(self) -> list[Path]:
        """The folders with its features, one for each encoder that has a cache."""
        return [self._store.folder]

    def read(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The stored arrays of some records: pixels if the encoder trains, otherwise features."""
        return self._store.read([self._rows[index] for index in indices])

    def __call__(self, indices: Sequence[int]) -> Seen:
        return self.see(self.read(indices))

    def see(self, kept: Mapping[str, Tensor]) -> Seen:
        """Stored arrays -> the Features of their images."""
        parts = {name: part.to(device_of(self.encoder), non_blocking=True) for name, part in kept.items()}
        if self.encoder.trains:
            return self.encoder.pool(self.encoder(parts["pixels"], parts["view"]))
        features = Features(**parts)
        return self.encoder.pool(features._replace(tokens=features.tokens.float(), pooled=features.pooled.float()))


class Together(Source):
    """The sources of `encoder.encoders`, for the same records. `0.tokens` is the array `tokens` of the first one."""

    def __init__(self, encoder: Encoder, sources: Sequence[Source], left_out: Sequence[LeftOut]) -> None:
        first = sources[0]
        content = " ".join(source.content for source in sources)
        super().__init__(encoder, first._store, first._rows, first.records, left_out, content)
        self.sources = sources

    @property
    def folders(self) -> list[Path]:
        return [folder for source in self.sources for folder in source.folders]

    def read(self, indices: Sequence[int]) -> dict[str, Tensor]:
        each = [source.read(indices) for source in self.sources]
        return {f"{number}.{name}": part for number, kept in enumerate(each) for name, part in kept.items()}

    def see(self, kept: Mapping[str, Tensor]) -> Seen:
        parts: list[dict[str, Tensor]] = [{} for _ in self.sources]
        for name, part in kept.items():
            number, _, own = name.partition(".")
            parts[int(number)][own] = part
        seen = [source.see(its) for source, its in zip(self.sources, parts, strict=True)]
        return _joined(self.encoder, seen)


def _joined(encoder: Encoder, seen: Sequence[Seen]) -> Seen:
    """The features of an encoder, from the features of each of its `encoders`."""
    joined = encoder.join([part for one in seen for part in each(one)])
    return encoder.pool(joined) if isinstance(joined, Features) else joined


def open_source(
    records: Sequence[Record],
    encoder: Encoder,
    *,
    folder: Path | None = None,
    console: Console | None = None,
    progress: bool = True,
    complete: bool = False,
    what: str = "photo",
    announce: bool = True,
) -> Source:
    """The features of the records. Features that are not cached are computed now and stored in `folder`.

    Photos that cannot be read are skipped, and reported if `announce`. Raises InputError if no photo can be read, if
    one cannot be read and `complete` is True, or if the disk is too small. `what` names the photos in messages.
    """
    console = console or Plain(stderr=True, quiet=not progress)
    if encoder.given is not None:
        return _open_given(encoder.given.open(records, console), encoder, len(records), console, complete, what)
    if encoder.encoders:
        settings: dict[str, Any] = {"folder": folder, "console": console, "progress": progress}
        return _open_each(records, encoder, settings | {"complete": complete, "what": what, "announce": announce})
    store, contents = look_up(records, encoder, folder)
    wanted = dict(zip(contents, (record.path for record in records), strict=True))
    failed = {} if wanted.keys() <= store.rows.keys() else fill(store, encoder, wanted, console)
    left_out = [
        LeftOut(record.image_id, failed[content])
        for record, content in zip(records, contents, strict=True)
        if content in failed
    ]
    kept = [(record, store.rows[c], c) for record, c in zip(records, contents, strict=True) if c not in failed]
    report = f"{len(left_out):,} of {count(len(records), what)} cannot be read: {told(left_out)}"
    if left_out and (complete or not kept):
        raise InputError(f"{report}; repair or remove them")
    if left_out and announce:
        console.print(f"{report}; skipped", markup=False, soft_wrap=True)
    photos = blake2b("".join(content for _, _, content in kept).encode(), digest_size=16).hexdigest()
    return Source(encoder, store, [row for _, row, _ in kept], [record for record, _, _ in kept], left_out, photos)


def look_up(records: Sequence[Record], encoder: Encoder, folder: Path | None) -> tuple[Store, list[str]]:
    """The store of an encoder, and the content of each record's photo.

    Photos with equal content are encoded once. A file without a digest is tried too, to learn the reason.
    """
    root = folder or default_folder()
    kind = "pixels" if encoder.trains else "features"
    place = root / f"{kind}-{EDITION}-{encoder.fingerprint}"
    paths = [record.path for record in records]
    with room(place), ThreadPoolExecutor(os.cpu_count()) as pool:
        store = Store(place)
        root.mkdir(parents=True, exist_ok=True)
        digests = digest_files(paths, root / "contents.sqlite", pool)
    return store, [digest or f"{UNREADABLE}{path}" for digest, path in zip(digests, paths, strict=True)]


def _open_each(records: Sequence[Record], encoder: Encoder, settings: dict[str, Any]) -> Source:
    """Open the cache of each encoder. Only photos that all encoders could read are used."""
    parts, left_out = encoder.encoders, list[LeftOut]()
    for part in parts:
        source = open_source(records, part, **settings)
        records, left_out = source.records, left_out + list(source.left_out)
    return Together(encoder, [open_source(records, part, **settings) for part in parts], left_out)


def _open_given(opened: Opened, encoder: Encoder, records: int, console: Console, complete: bool, what: str) -> Source:
    rows, kept, left_out, content, where, hint = opened
    missing = f"{len(left_out):,} of {count(records, what)} {'is' if len(left_out) == 1 else 'are'}"
    report = f"{missing} not in {where}: {told(left_out)}"
    if left_out and (complete or not kept):
        raise InputError(f"{report}; {hint}")
    if left_out:
        console.print(f"{report}; skipped", markup=False, soft_wrap=True)
    return Source(encoder, rows, range(len(kept)), kept, left_out, content)


def encode(encoder: Encoder, images: Sequence[Image.Image]) -> Seen:
    """The Features of a few upright RGB images, without the cache; a Source gives equal ones for the same images."""
    return encode_prepared(encoder, [prepare(encoder, image) for image in images])


def prepare(encoder: Encoder, image: Image.Image) -> Any:
    """The transform of an upright RGB image, for `encode_prepared`. Another thread may do this work."""
    if encoder.several:
        return [prepare(part, image) for part in encoder.encoders]
    return encoder.transform(image)


@torch.no_grad()
def encode_prepared(encoder: Encoder, prepared: Sequence[Any]) -> Seen:
    """The Features of images that `prepare` has transformed."""
    if encoder.several:
        of_each = zip(encoder.encoders, zip(*prepared, strict=True), strict=True)
        return _joined(encoder, [encode_prepared(part, list(each)) for part, each in of_each])
    encoder.eval()
    pixels, view = stack(prepared)
    device, size = device_of(encoder), batch_size(encoder)
    parts = [
        encoder.pool(encoder(p.to(device), v.to(device)))
        for p, v in zip(pixels.split(size), view.split(size), strict=True)
    ]
    return Features(*(torch.cat(part) for part in zip(*parts, strict=True)))
