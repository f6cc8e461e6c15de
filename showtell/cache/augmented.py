"""Augmented training photos: each time a photo is read, a random view of it is used. Every view has its own cache."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from rich.console import Console
from torch import Tensor

from showtell.cache.fill import fill
from showtell.cache.source import Source, look_up, open_source
from showtell.data.record import Record
from showtell.encoders.encoder import Encoder
from showtell.encoders.turned import VIEWS, Turned, stays_upright
from showtell.features import Seen
from showtell.plumbing.errors import RecipeError


class Augmented(Source):
    """`sources` have the same records, one source per view, upright photos first. Each read draws a view per image."""

    def __init__(self, sources: Sequence[Source], views: str) -> None:
        upright = sources[0]
        super().__init__(
            upright.encoder, upright._store, upright._rows, upright.records, upright.left_out, upright.content
        )
        self.sources = sources
        self.turns = torch.tensor([not stays_upright(record.references, views) for record in upright.records])

    def read(self, indices: Sequence[int]) -> dict[str, Tensor]:
        drawn = torch.randint(len(self.sources), (len(indices),)) * self.turns[list(indices)]
        made: dict[str, Tensor] = {}
        for turn, source in enumerate(self.sources):
            places = (drawn == turn).nonzero()[:, 0]
            if len(places):
                # Copied into place, because in a CPU's autocast, which training uses, torch.cat refuses fp16.
                for name, part in source.read([indices[i] for i in places.tolist()]).items():
                    made.setdefault(name, part.new_empty(len(indices), *part.shape[1:]))[places] = part
        return made

    def see(self, kept: Mapping[str, Tensor]) -> Seen:
        return self.sources[0].see(kept)  # all views share the encoder's weights


def open_augmented(records: Sequence[Record], encoder: Encoder, views: str, console: Console) -> Source:
    """Like `open_source`, but photos are augmented with the views of VIEWS[views].

    Raises RecipeError if the features are precomputed, because their photos cannot be augmented.
    """
    turned = turned_encoders(encoder, views, "train.augment")
    upright = open_source(records, encoder, console=console, what="training photo")
    if not turned:
        return upright
    return Augmented([upright, *(open_source(upright.records, each, console=console) for each in turned)], views)


def fill_share(records: Sequence[Record], encoder: Encoder, console: Console, views: str = "none") -> None:
    """Encode photos into the cache while other processes encode others. Nothing is said of those that cannot be read.

    After all of them ended, `open_source` and `open_augmented` find everything there.
    """
    for seen_by in (encoder, *turned_encoders(encoder, views, "train.augment")):
        for part in _cached(seen_by):
            store, contents = look_up(records, part, None)
            wanted = dict(zip(contents, (record.path for record in records), strict=True))
            if not wanted.keys() <= store.rows.keys():
                fill(store, part, wanted, console, beside=True)


def _cached(encoder: Encoder) -> Iterator[Encoder]:
    """The encoders inside this one that have a cache each."""
    for part in encoder.encoders:
        yield from _cached(part)
    if not encoder.encoders and encoder.given is None:
        yield encoder


def turned_encoders(encoder: Encoder, views: str, key: str) -> list[Encoder]:
    """One encoder for each view of VIEWS[views], without the upright photo. `key` is the option with that name.

    Raises RecipeError if the features are precomputed, because they were computed from upright photos only.
    """
    if VIEWS[views] and any(isinstance(part, Encoder) and part.given is not None for part in encoder.modules()):
        takes = "none with regions=precomputed, which has features of upright photos only"
        raise RecipeError(key=key, value=views, takes=takes, advice=f"set {key}=none")
    return [Turned(encoder, view) for view in VIEWS[views]]
