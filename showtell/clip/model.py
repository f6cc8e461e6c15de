"""A model's name -> `embed_photos` and `embed_texts`: vectors of length 1, whose dot products are cosines.

Photos use the feature cache, so a second scoring of the same photos embeds only texts. The vectors of the last two
lists of texts are remembered: during training, the references of the validation photos are the same in every epoch.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from showtell.cache import open_source
from showtell.clip.protocols import PROTOCOLS, Protocol
from showtell.data.record import Record
from showtell.encoders.clip.encoder import PhotoTower
from showtell.encoders.clip.named import DEFAULT, load_towers
from showtell.encoders.clip.towers import OPEN_CLIP
from showtell.features import first
from showtell.plumbing.console import Plain
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.progress import Bar

__all__ = ["DEFAULT", "Clip"]
BATCH_SIZE = 64  # texts


class Clip:
    """A CLIP model and the protocol of its scores. The model is loaded when it is first needed."""

    def __init__(
        self,
        model: str = DEFAULT,
        protocol: str = "paper",
        *,
        device: torch.device | str = "auto",
        console: Console | None = None,
    ) -> None:
        if protocol not in PROTOCOLS:
            raise InputError(key="protocol", value=protocol, taker="CLIPScore takes", takes=PROTOCOLS)
        self.model, self.protocol_name, self.console = model, protocol, console
        self.device = device_of(device) if isinstance(device, str) else device
        self._remembered = lru_cache(maxsize=2)(self._embed)
        self._photos: dict[Path, Tensor] = {}

    @property
    def protocol(self) -> Protocol:
        return PROTOCOLS[self.protocol_name]

    @property
    def signature(self) -> str:
        """All that must be equal to compare scores: model, library, the first digits of the weights, protocol."""
        begin = OPEN_CLIP if self.model.startswith(OPEN_CLIP) else ""
        path = at_home(self.model.removeprefix(begin), "clip")
        name = begin + path.name if path.exists() else self.model  # a folder may move, so only its name counts
        model = f"clip {name} ({self.tower.towers.library}, weights {self.tower.weights[:8]})"
        scale = f"{self.protocol.weight:g} cos" + (f", prefix {self.protocol.prefix!r}" if self.protocol.prefix else "")
        return f"{model}|protocol {self.protocol_name} ({scale})"

    def load(self) -> None:
        """Load the model now, or raise its error. The random numbers of torch do not change."""
        assert self.tower is not None

    @cached_property
    def tower(self) -> PhotoTower:
        towers = load_towers(self.model)
        towers.network.to(self.device)
        return PhotoTower(towers)

    def embed_photos(self, photos: Sequence[Path]) -> Tensor:
        """(photos D). Raises InputError if photos cannot be read; it names them before any photo is scored."""
        if self._photos and all(path in self._photos for path in photos):
            return torch.stack([self._photos[path] for path in photos])
        records = [Record(path.name, path, (), "") for path in photos]
        source = open_source(records, self.tower, console=self.console, progress=False, complete=True)
        return first(source(range(len(records)))).pooled

    def remember_photos(self, photos: Sequence[Path]) -> None:
        """Embed photos now and keep their vectors, because every epoch of training scores the same photos."""
        self._photos = dict(zip(photos, self.embed_photos(photos), strict=True))

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """(texts D). Texts that are too long for the model are cut; nothing else is changed."""
        return self._remembered(tuple(texts))

    @torch.no_grad()
    def _embed(self, texts: tuple[str, ...]) -> Tensor:
        towers = self.tower.towers
        # For speed: texts of similar length need little padding, and equal texts are embedded once.
        order = sorted(set(texts), key=lambda text: (len(text), text))
        parts = []
        console, show = self.console or Plain(stderr=True), self.console is not None
        with torch.autocast(self.device.type, enabled=False), Bar(console, "reading", len(order), "text", show) as bar:
            for start in range(0, len(order), BATCH_SIZE):
                some = order[start : start + BATCH_SIZE]
                tokens = {name: part.to(self.device) for name, part in towers.tokenize(some).items()}
                parts.append(F.normalize(towers.read(tokens).float(), dim=-1))
                bar.advance(len(some))
        place = {text: row for row, text in enumerate(order)}
        return torch.cat(parts)[[place[text] for text in texts]]
