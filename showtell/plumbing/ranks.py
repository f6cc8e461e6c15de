"""What a launcher such as torchrun says about this process: which one of how many it is. Nothing here loads torch."""

import os


def size() -> int:
    """The number of processes that torchrun started; 1 without torchrun."""
    return _number("WORLD_SIZE", 1) if "RANK" in os.environ else 1


def rank() -> int:
    """0 for the first process, which alone writes and prints."""
    return _number("RANK", 0) if size() > 1 else 0


def local_rank() -> int:
    """The number of this process on its own machine: it uses the GPU with this number."""
    return _number("LOCAL_RANK", rank())


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
