"""Training photos, each time upright or turned by chance: a Source over one cache for every turn."""

from collections.abc import Mapping, Sequence

import torch
from rich.console import Console
from torch import Tensor

from showtell.cache.source import Source, open_source
from showtell.data.record import Record
from showtell.encoders.encoder import Encoder
from showtell.encoders.turned import VIEWS, Turned, stays_upright
from showtell.features import Seen
from showtell.plumbing.errors import RecipeError


class Augmented(Source):
    """`sources` are of the same records, the upright photos first; which one is read is drawn for every image anew."""

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
                # Copied into place: a CPU's autocast, within which training reads, refuses to join fp16 tensors.
                for name, part in source.read([indices[i] for i in places.tolist()]).items():
                    made.setdefault(name, part.new_empty(len(indices), *part.shape[1:]))[places] = part
        return made

    def see(self, kept: Mapping[str, Tensor]) -> Seen:
        return self.sources[0].see(kept)  # the views share all weights


def open_augmented(records: Sequence[Record], encoder: Encoder, views: str, console: Console) -> Source:
    """The features of `open_source`, and those of the photos in all views that `views`, a name of VIEWS, has.

    Raises RecipeError if the features were computed by others, whose photos cannot be turned.
    """
    turned = turned_encoders(encoder, views, "train.augment")
    upright = open_source(records, encoder, console=console, what="training photo")
    if not turned:
        return upright
    return Augmented([upright, *(open_source(upright.records, each, console=console) for each in turned)], views)


def turned_encoders(encoder: Encoder, views: str, key: str) -> list[Encoder]:
    """The encoder for each view of VIEWS[views] beside the upright photo, which the option `key` asks for.

    Raises RecipeError if the features were computed by others, who saw upright photos alone.
    """
    if VIEWS[views] and any(isinstance(part, Encoder) and part.given is not None for part in encoder.modules()):
        raise RecipeError(
            f"{key} is {views}, and regions 'precomputed' has features of upright photos alone; take {key}=none"
        )
    return [Turned(encoder, view) for view in VIEWS[views]]
