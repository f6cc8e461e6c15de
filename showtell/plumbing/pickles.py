"""A pickle of numbers -> what it holds, without running any of it.

A pickle is a program: it may name any function and call it. Here it may name those alone that numpy's arrays are made
of, each by its full name; whatever else it names is refused before anything of it is called.
"""

import pickle
from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from showtell.plumbing.errors import InputError


def _latin1(text: str, encoding: str) -> bytes:
    """What `_codecs.encode` is used for: old pickles keep bytes as letters."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"letters in {encoding!r}")
    return text.encode("latin1")


def _made_by_numpy() -> dict[str, Any]:
    """The functions that numpy's own pickles name, as numpy 1 and 2 call them."""
    core = "numpy._core" if int(np.__version__.split(".")[0]) > 1 else "numpy.core"
    found: dict[str, Any] = {}
    for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer"):
        module, _, function = name.partition(".")
        own = getattr(import_module(f"{core}.{module}"), function)
        found |= {f"numpy.core.{name}": own, f"numpy._core.{name}": own}
    return found


ALLOWED: dict[str, Any] = {
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": _latin1,
    **_made_by_numpy(),
}


class _Numbers(pickle.Unpickler):
    """Dicts, lists, tuples, texts and numbers are a pickle's own; of all else it gets what stands in ALLOWED."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in ALLOWED:
            raise _Refused(f"{module}.{name}")
        return ALLOWED[f"{module}.{name}"]


class _Refused(Exception):
    """Something that a pickle of numbers has no use for."""


def load_restricted(path: Path) -> Any:
    """Raises InputError where the pickle names anything but numbers, or is damaged."""
    try:
        with path.open("rb") as file:
            return _Numbers(file).load()
    except _Refused as refused:
        raise InputError(
            f"regions.file={path}: a pickle that asks for {refused}, and only numpy arrays in dicts and lists are read "
            "from pickles, as any other could run a program; save the arrays as .npz or .safetensors"
        ) from None
    except Exception as error:  # a damaged one makes the unpickler raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"regions.file={path}: damaged, or no pickle ({reason})") from error
