"""Weights for networks of timm: from the model hub, or from a local file in which every tensor must fit."""

import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from showtell.encoders.timm.flax import read_layers
from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.files import at_home
from showtell.plumbing.hub import PAGE, drop_pages, hub_is_out_of_reach, in_hub_cache, on_one_line
from showtell.plumbing.reading import why_not
from showtell.plumbing.weights import LARGEST, no_tensors

WAYS_OUT = (
    "set encoder.weights=FILE to read a local file, encoder.weights=random to start at random, "
    "or encoder=lite, whose weights are installed with Showtell"
)
BEHIND = "pre_logits."  # VGG's layers after the map, which are dropped


def load_hub(model: str, build: Callable[..., Any]) -> Any:
    """Build the network with timm's weights for it, from the hub or its local cache."""
    import timm

    settings = timm.get_pretrained_cfg(model)
    if not settings.has_weights:
        known = ", ".join(timm.list_pretrained(model.split(".")[0] + ".*"))
        raise RecipeError(
            f"encoder.weights=hub: there are none for {model!r}{f', only for {known}' * bool(known)}; {WAYS_OUT}"
        )
    if settings.hf_hub_id and not in_hub_cache(settings.hf_hub_id) and hub_is_out_of_reach():
        raise InputError(
            f"encoder.weights=hub: {model!r} is not in the local cache, and the hub is out of reach; {WAYS_OUT}"
        )
    try:
        return build(pretrained=True)
    except InputError:
        raise
    except Exception as error:  # a proxy that answers with a web page makes the libraries raise nearly anything
        reason = PAGE if drop_pages() else on_one_line(error)
        raise InputError(f"encoder.weights=hub: {model!r} cannot be downloaded ({reason}); {WAYS_OUT}") from error


def load_file(network: Any, path: str) -> None:
    """Read a .safetensors, .pth or .bin file into the network. Nothing in the file is executed."""
    file = at_home(path, "encoder.weights")
    state = read_layers(file, network) if not why_not(file, LARGEST) else None
    state = read(file) if state is None else state
    check_numbers(path, network, state)
    # timm's function for each family renames the tensors of official files and interpolates position embeddings.
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is not None:
        try:
            state = convert(state, network)
        except Exception as error:  # it reshapes tensors by name, so a wrong shape can raise any exception
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            architecture = network.pretrained_cfg["architecture"]
            raise InputError(
                f"encoder.weights={path} does not fit {architecture!r} ({reason}); "
                "name the model that the file was made for with encoder.model"
            ) from error
    check_fit(path, network, state)
    network.load_state_dict(state, strict=False)


def read(path: Path) -> dict[str, Tensor]:
    import timm.models

    if wrong := why_not(path, LARGEST):
        raise InputError(f"encoder.weights={path} {wrong}; it takes hub, random or a file")
    try:
        _check_inflated(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickles
            state = timm.models.load_state_dict(str(path), weights_only=True)
    except Exception as error:  # a damaged file can make torch raise any exception
        reason = no_tensors(path, error)
        raise InputError(f"encoder.weights={path}: not a file of plain tensors ({reason}); use .safetensors") from error
    if not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"encoder.weights={path}: not only tensors; save the network's state_dict()")
    for name, tensor in state.items():
        _check_whole(path, name, tensor)
    return state


def _check_inflated(path: Path) -> None:
    """Raise ValueError for a compressed archive. torch never writes one, and 1 MB of it can become 1 GB in memory."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
            raise ValueError("its parts are larger than the file")


def _check_whole(path: Path, name: str, tensor: Tensor) -> None:
    """Raise InputError if a tensor has more numbers than the file.

    A tensor with stride 0 repeats one stored number: a shape of 10^10 needs 40 GB as soon as something is computed.
    """
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.numel() * tensor.element_size() > path.stat().st_size:
        raise InputError(f"encoder.weights={path}: the file lacks numbers of {name}; use .safetensors")


def check_numbers(path: str, network: Any, state: dict[str, Tensor]) -> None:
    """Raise InputError unless tensors have the network's kind of numbers (floating or whole), all finite."""
    wanted = network.state_dict()
    for name, tensor in state.items():
        known = wanted.get(name)
        if known is not None and known.is_floating_point() != tensor.is_floating_point():
            raise InputError(f"encoder.weights={path}: {name} has {tensor.dtype}; the network takes {known.dtype}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            raise InputError(f"encoder.weights={path}: {name} has infinite or NaN values; use another file")


def check_fit(path: str, network: Any, state: dict[str, Tensor]) -> None:
    """Raise InputError unless the file has every tensor of the network in its shape, and no others but a classifier."""
    wanted = network.state_dict()
    classifier = network.pretrained_cfg["classifier"]
    heads = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier or []))
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    absent = [name for name in wanted if name not in state and "num_batches_tracked" not in name]
    missing = [f"{name} is missing" for name in absent if not name.startswith(BEHIND)]
    surplus = [f"{name} is not in this network" for name in state if name not in wanted and not name.startswith(heads)]
    wrong = shapes + missing + surplus
    if wrong:
        rest = f" and {len(wrong) - 3:,} more" if len(wrong) > 3 else ""
        architecture = network.pretrained_cfg["architecture"]
        raise InputError(
            f"encoder.weights={path} does not fit {architecture!r}: {'; '.join(wrong[:3])}{rest}; "
            "name the model that the file was made for with encoder.model"
        )
