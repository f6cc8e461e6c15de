"""Whether a part fits into memory, before it is built: its outline has all shapes and no numbers."""

import contextlib
from collections.abc import Callable

import torch
from torch import nn

from showtell.plumbing.device import free_memory
from showtell.plumbing.errors import InputError

BYTES = 4  # of a weight
TRAINED = 4  # a weight in training: itself, its gradient, and the two moments of AdamW
SHOWN = 3


def check_room(section: str, make: Callable[[], nn.Module], copies: int = 1, device: str = "cpu") -> None:
    """Raise InputError if `copies` of the weights that `make` would build are more than the free memory.

    Example: a matrix of 65,536 x 65,536 has 4.3 billion weights. That is 17 GB, and 69 GB in training (`TRAINED`).
    """
    free, part = free_memory(device), outline(make)
    if free is None or part is None:
        return
    sizes = {name: weight.numel() for name, weight in part.named_parameters()}
    needs = BYTES * copies * sum(sizes.values())
    if needs <= free:
        return
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:SHOWN]
    named = ", ".join(f"{name} {_gigabytes(BYTES * copies * size)}" for name, size in largest)
    when = " in training" if copies > 1 else ""
    wrong = f"needs {_gigabytes(needs)} of memory for its weights{when}, and {_gigabytes(free)} are free"
    raise InputError(wrong, key=section, advice=f"make its sizes smaller; the largest parts are {named}")


def outline(make: Callable[[], nn.Module]) -> nn.Module | None:
    """The part without numbers (on torch's device `meta`); None if it cannot be built so."""
    with contextlib.suppress(Exception), torch.random.fork_rng(devices=[]), torch.device("meta"):
        return make()
    return None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
