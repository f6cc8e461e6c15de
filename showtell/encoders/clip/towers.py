"""A CLIP model of any library: its image and text towers, their inputs, and the settings that weights do not have."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from PIL import Image
from torch import Tensor, nn

from showtell.plumbing.errors import InputError
from showtell.plumbing.hub import hub_is_out_of_reach, in_hub_cache

OPEN_CLIP = "open_clip:"  # the prefix of open_clip's models; all other names belong to transformers
LOCAL = "name a local folder or file instead (see docs/clipscore.md)"


class Towers(NamedTuple):
    """A loaded model. Its functions call `network`, also after it is moved to another device."""

    network: nn.Module
    library: str  # the library's name and version
    settings: str  # heads, activations, sizes: together with the weights they identify the model
    prepare: Callable[[Image.Image], Tensor]  # RGB -> the model's input (3 h w)
    see: Callable[[Tensor], Tensor]  # B 3 h w -> B D
    tokenize: Callable[[Sequence[str]], dict[str, Tensor]]
    read: Callable[[dict[str, Tensor]], Tensor]  # -> B D


def refused(name: str, reason: str, **more: Any) -> InputError:
    """An InputError about `clip`; `more` is its other data: what is allowed, the nearest name, advice."""
    return InputError(f"{name!r} {reason}", key="clip", value=name, **more)


def lacking(name: str, library: str) -> InputError:
    return refused(name, f"is a model of {library}, which is not installed; pip install 'showtell[clip]'")


def check_hub(name: str, repository: str) -> None:
    """Raise InputError now, instead of after several time-outs."""
    if not in_hub_cache(repository) and hub_is_out_of_reach():
        raise refused(name, f"is not in the local cache, and the hub is out of reach; {LOCAL}")


def one_line(error: Exception) -> str:
    """A library's error on one line of at most 200 letters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
