"""A model's name -> what scores labels: a Showtell captioner if there is one of that name, else a CLIP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from showtell.captioners.captioner import Captioner
from showtell.checkpoint import RECIPE
from showtell.clip import Clip
from showtell.encoders.clip.towers import OPEN_CLIP
from showtell.encoders.encoder import Encoder
from showtell.features import Seen
from showtell.loading import load, packaged_models
from showtell.plumbing.device import device_of
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import hub_is_out_of_reach, in_hub_cache, is_path
from showtell.zeroshot.by_captioner import ByCaptioner
from showtell.zeroshot.by_clip import ByClip
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
    def encoder(self) -> Encoder:
        """What sees the photos, so that the feature cache keeps what it saw."""

    def ask(self, ways: Sequence[Way]) -> None: ...
    def scores(self, seen: Seen) -> Float[Tensor, "B W L"]:
        """How well each label fits each photo, asked each way; more is better."""


def open_model(
    model: str | Path | Captioner | Clip, *, scale: float | None = None, console: Console | None = None
) -> Scorer:
    """Raises InputError for a model that is neither, or that cannot be loaded."""
    if isinstance(model, Clip):
        return ByClip(model, scale)
    if isinstance(model, Captioner):
        return ByCaptioner(model, model.name)
    name = str(model)
    if is_captioner(name):
        return ByCaptioner(load(name).to(device_of("auto")), name)
    clip = Clip(name, console=console)
    clip.load()
    return ByClip(clip, scale)


def is_captioner(name: str) -> bool:
    """A packaged model, a folder with a recipe, or a repository of the Hub that has one."""
    if name in packaged_models():
        return True
    if name.startswith(OPEN_CLIP):
        return False
    folder = at_home(name, "--model")
    if folder.exists() or name.count("/") != 1 or is_path(name):
        return (folder / RECIPE).is_file()
    return _has_recipe(name)


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
