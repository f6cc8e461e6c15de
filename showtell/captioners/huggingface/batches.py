"""Work in batches that shrink when memory ends: what fails with 8 photos is tried with 4, 2 and 1."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from showtell.plumbing.errors import InputError

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
ENDED = ("out of memory", "can't allocate memory", "not enough memory")  # in messages of CUDA, CPU and MPS
ADVICE = "take decode=greedy or a smaller decode.num_beams, captioner.dtype=bf16, or a smaller model"


def in_batches(items: Sequence[I], size: int, work: Callable[[Sequence[I]], list[R]]) -> tuple[list[R], int]:
    """All results, and the size of batch that memory had room for, so that the next call begins with it.

    Raises InputError if there is no room for one.
    """
    done: list[R] = []
    while len(done) < len(items):
        ended: Exception | None = None
        try:
            done += work(items[len(done) : len(done) + size])
        except (RuntimeError, MemoryError) as error:
            if not memory_ended(error):
                raise
            ended = error.with_traceback(None)  # the traceback holds the tensors
        if ended is not None:
            if size == 1:
                raise InputError("memory has no room for one photo", advice=ADVICE) from ended
            size = (size + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return done, size


def memory_ended(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in ENDED)
