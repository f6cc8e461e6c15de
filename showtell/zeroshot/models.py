"""A model's name -> what scores labels: a Showtell captioner if there is one of that name, else a CLIP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from PIL import Image
from rich.console import Console
from torch import Tensor

from showtell.captioners.captioner import Captioner
from showtell.captioners.huggingface.network import CONFIG, is_of_captioner
from showtell.checkpoint import RECIPE
from showtell.clip import Clip
from showtell.encoders.clip.towers import OPEN_CLIP
from showtell.encoders.encoder import Encoder
from showtell.features import Seen
from showtell.loading import load, packaged_models
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import HUB, hub_file, hub_is_out_of_reach, in_hub_cache, is_path
from showtell.zeroshot.by_captioner import ByCaptioner
from showtell.zeroshot.by_clip import ByClip
from showtell.zeroshot.by_foreign import ByForeign, Says
from showtell.zeroshot.ways import Way


class Scorer(Protocol):
    """`ask` first, then `scores` of any photos. `notes` are lines for people, known after `ask`."""

    unit: str

    @property
    def name(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def notes(self) -> list[str]: ...
    @property
    def encoder(self) -> Encoder | None:
        """What sees the photos, so that the feature cache keeps what it saw; None if only whole photos are taken."""

    def ask(self, ways: Sequence[Way]) -> None: ...
    def scores_of(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "B W L"]:
        """How well each label fits each photo, asked each way; more is better."""


@runtime_checkable
class SeesOnce(Scorer, Protocol):
    """A scorer with an encoder: it takes what the encoder saw, too."""

    @property
    def encoder(self) -> Encoder: ...
    def scores(self, seen: Seen) -> Float[Tensor, "B W L"]: ...


def open_model(
    model: str | Path | Captioner | Clip, *, scale: float | None = None, console: Console | None = None
) -> Scorer:
    """Raises InputError for a model that is neither, or that cannot be loaded."""
    if isinstance(model, Clip):
        return ByClip(model, scale)
    if isinstance(model, Captioner):
        return _by_captioner(model, model.name)
    name = str(model)
    if is_captioner(name):
        return _by_captioner(load(name).to(device_of("auto")), name)
    clip = Clip(name, console=console)
    clip.load()
    return ByClip(clip, scale)


def _by_captioner(captioner: Captioner, name: str) -> Scorer:
    return ByForeign(captioner, name) if isinstance(captioner, Says) else ByCaptioner(captioner, name)


def is_captioner(name: str) -> bool:
    """A packaged model, a run, what the Hub has of either, or a model of transformers that captions."""
    if name in packaged_models():
        return True
    if name.startswith(OPEN_CLIP):
        return False
    if name.startswith(HUB):
        name = name.removeprefix(HUB)
        return _has_recipe(name) or _hub_captions(name)
    folder = at_home(name, "--model")
    if folder.exists() or name.count("/") != 1 or is_path(name):
        return (folder / RECIPE).is_file() or is_of_captioner(folder / CONFIG)
    return _has_recipe(name) or _hub_captions(name)


def _hub_captions(repository: str) -> bool:
    try:
        config = hub_file(repository, [CONFIG])
    except InputError:  # who loads it has the words for it
        return False
    return config is not None and is_of_captioner(config)


def _has_recipe(repository: str) -> bool:
    from huggingface_hub import file_exists, try_to_load_from_cache

    try:
        if isinstance(try_to_load_from_cache(repository, RECIPE), str):
            return True
        if in_hub_cache(repository) or hub_is_out_of_reach():
            return False
        return bool(file_exists(repository, RECIPE))
    except Exception:  # a proxy may answer with a web page; who loads it has the words for it
        return False
