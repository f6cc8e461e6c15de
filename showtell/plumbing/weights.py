"""Files of weights that others made -> tensors. Nothing in them is executed, and a small file fills no memory."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import ANY, why_not

LARGEST = 2**36  # bytes of a .bin or .pth file
WRAPPERS = ("state_dict", "model_state_dict", "model")  # the key under which training scripts store the tensors


def read_weights(path: Path, key: str) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .bin or .pth file by name; `key` is the option that names it, for errors.

    Raises InputError if the file is missing, damaged, or holds anything but finite numbers.
    """
    if wrong := why_not(path, _most(path)):
        raise InputError(f"is {path}, which {wrong}", key=key, value=str(path), takes="a file of weights")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load(path)
    except Exception as error:  # a damaged file makes torch raise nearly anything
        wrong = f"is {path}, which is not a file of plain tensors ({no_tensors(path, error)})"
        raise InputError(wrong, key=key, value=str(path), advice="save it as .safetensors") from error
    for name, tensor in state.items():
        _check(path, key, name, tensor)
    return state


def read_checkpoint(path: Path, key: str) -> dict[str, Any]:
    """A course's checkpoint: a dict of tensors, numbers, texts, lists and dicts of them. `key` is the option.

    Raises InputError if the file is missing or damaged, or if it is a pickle of modules, which could run code.
    """
    if wrong := why_not(path, _most(path)):
        raise InputError(f"is {path}, which {wrong}", key=key, value=str(path), takes="a checkpoint")
    try:
        content = _open(path)
        if not isinstance(content, dict):
            raise ValueError("it holds no dict")
    except Exception as error:  # a damaged file makes torch raise nearly anything
        reason = no_tensors(path, error)
        advice = "save tensors, numbers and texts only, such as model.state_dict()"
        raise InputError(f"is {path}: {reason}", key=key, value=str(path), advice=advice) from error
    return content


def no_tensors(path: Path, error: Exception) -> str:
    """Why a file holds no plain tensors, in our words where torch would advise to execute the file."""
    if path.is_file() and path.stat().st_size == 0:
        return "it is empty"
    text = str(error)
    if "weights_only" in text or "weights only" in text.lower():
        if "Unsupported global" in text or "GLOBAL" in text or "find_class" in text:
            return "it is a pickle of other things than tensors, which can run code, so Showtell never executes it"
        return "it is no file that torch wrote, or it is damaged"
    return (text.splitlines() or [type(error).__name__])[0]


def _most(path: Path) -> int:
    """A safetensors file is mapped into the memory, and a pickle is read."""
    return ANY if path.suffix == ".safetensors" else LARGEST


def _load(path: Path) -> dict[str, Tensor]:
    state = _open(path)
    for wrapper in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not state:
        raise ValueError("it holds no tensors by name")
    return state


def _open(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:  # torch never compresses; a tiny compressed file can fill the memory
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise ValueError("its parts are larger than the file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's remarks on pickles
        return torch.load(path, map_location="cpu", weights_only=True)


def _check(path: Path, key: str, name: object, tensor: object) -> None:
    if not isinstance(name, str) or not isinstance(tensor, Tensor):
        wrong = f"is {path}, which holds other things than tensors (first: {name!r})"
        raise InputError(wrong, key=key, value=str(path), advice="save the network's state_dict()")
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    # One stored number can be shown as any shape; a shape of 10^10 would take 40 GB as soon as it is computed with.
    if not plain or tensor.numel() * tensor.element_size() > path.stat().st_size:
        wrong = f"is {path}, in which {name} is incomplete"
        raise InputError(wrong, key=key, value=str(path), advice="save it as .safetensors")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
        wrong = f"is {path}, in which {name} has values that are not finite"
        raise InputError(wrong, key=key, value=str(path), advice="take another file")


def check_fit(
    wanted: dict[str, Tensor], state: dict[str, Tensor], key: str, value: str, network: str, advice: str
) -> None:
    """Raise InputError if `state` lacks a tensor, has another shape, or has a tensor too many; it lists the first ones.

    `strict=False` would skip all of this silently: a file with another prefix then loads nothing.
    """
    shapes = [
        f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    missing = [name for name in wanted if name not in state]
    surplus = [name for name in state if name not in wanted]
    wrong = [_listed(shapes, "wrong shape", "wrong shapes"), _listed(missing, "missing", "missing")]
    wrong = [each for each in [*wrong, _listed(surplus, "not of this network", "not of this network")] if each]
    if wrong:
        raise InputError(
            f"is {value}, which does not fit {network}: {'; '.join(wrong)}", key=key, value=value, advice=advice
        )


def _listed(names: list[str], one: str, many: str) -> str:
    """
    >>> _listed(["a", "b", "c", "d"], "missing", "missing")
    '4 missing (a, b, c, ..)'
    """
    if not names:
        return ""
    rest = ", .." if len(names) > 3 else ""
    return f"{len(names)} {one if len(names) == 1 else many} ({', '.join(names[:3])}{rest})"
