"""What every library's CLIP looks like from here: two towers, what they take, and what the weights do not say."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from PIL import Image
from torch import Tensor, nn

from showtell.plumbing.errors import InputError
from showtell.plumbing.hub import hub_is_out_of_reach, in_hub_cache

OPEN_CLIP = "open_clip:"  # begins the names of open_clip's models; all others are transformers'
LOCAL = "name a local folder or file instead (docs/clipscore.md says which)"


class Towers(NamedTuple):
    """A loaded model; its functions hold the network, wherever it is moved to."""

    network: nn.Module
    library: str  # with its version
    settings: str  # heads, activations, sizes: with the weights they name the model
    prepare: Callable[[Image.Image], Tensor]  # RGB -> numbers (3 h w), by the model's own rules
    see: Callable[[Tensor], Tensor]  # B 3 h w -> B D
    tokenize: Callable[[Sequence[str]], dict[str, Tensor]]
    read: Callable[[dict[str, Tensor]], Tensor]  # -> B D


def refused(name: str, reason: str, **more: Any) -> InputError:
    """`more` is what else an error says: what is allowed, the nearest name, advice."""
    return InputError(f"{name!r} {reason}", key="clip", value=name, **more)


def lacking(name: str, library: str) -> InputError:
    return refused(name, f"is a model of {library}, which is not installed; pip install 'showtell[clip]'")


def check_hub(name: str, repository: str) -> None:
    """Refuse at once what would only wait for time-outs."""
    if not in_hub_cache(repository) and hub_is_out_of_reach():
        raise refused(name, f"is not in the local cache and the hub is out of reach; {LOCAL}")


def told(error: Exception) -> str:
    """A library's error on one line, as much of it as a person reads."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
