"""Several processes that train one captioner: `torchrun --nproc_per_node N -m showtell -- train ...`.

Every process makes the same plan and takes its share of every batch. The gradients of all shares are summed and divided
by the number of words in the whole batch. Shares with 30 and 10 words are thus divided by 40, not by 30 and 10. So N
processes learn what one process learns. The sums are torch.distributed's: gloo for a CPU, nccl for GPUs.

A process that fails says so in the next sum (`fail`). So the others end too, instead of waiting for it for ever.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from showtell.plumbing import ranks
from showtell.plumbing.device import device_of
from showtell.plumbing.errors import InputError, ShowtellError

NUMBERS = 3  # numbers that one `sum` can carry
# A process that ends closes its connections, which the others notice at once. Only a machine that vanishes from the
# network is waited for; so is a slow metric in process 0.
PATIENCE = timedelta(hours=1)


class Ended(InputError):
    """Another process failed, and this one ends with it."""


class Lost(InputError):
    """Another process ended without a word, for example because it was killed."""

    def __init__(self) -> None:
        advice = "what it printed says why; start all of them again with --resume"
        super().__init__("another process of this training ended, so this one ends too", advice=advice)


class World:
    """This process among `size` processes. Alone, every method gives back what it was given."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, whole: Sequence[Any]) -> Sequence[Any]:
        """Every `size`-th item: of 7 items, process 0 of 2 has those at 0, 2, 4, 6, and process 1 the others."""
        return whole[self.rank :: self.size]

    def sum(self, *numbers: float) -> list[float]:
        """The sums over all processes; all wait for each other here. Raises Ended if another process failed."""
        return self._meet(numbers) if self.size > 1 else list(numbers)

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes. They are pickled, so they come only from processes of this training."""
        self.sum()
        return self._gather(value)

    def from_main(self, value: Any) -> Any:
        """The value of process 0; those of the others are not used."""
        return self.gather(value if self.main else None)[0]

    def main_first(self, act: Callable[[], Any]) -> Any:
        """`act()` in process 0, and after it in all others: it may write what they read."""
        if self.main:
            made = act()
            self.sum()
        else:
            self.sum()
            made = act()
        self.sum()
        return made

    def sum_gradients(self, parameters: Sequence[nn.Parameter], *numbers: float) -> list[float]:
        """Replace each gradient with its sum over all processes. Returns the sums of `numbers`."""
        sums = self.sum(*numbers)
        if self.size > 1:
            # A process without a share has no gradients; a parameter without one anywhere keeps none.
            used = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.int32)
            dist.all_reduce(used, dist.ReduceOp.MAX)
            chosen = [parameter for parameter, use in zip(parameters, used.tolist(), strict=True) if use]
            gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in chosen]
            for parameter, gradient in zip(chosen, _summed(gradients), strict=True):
                parameter.grad = gradient
        return sums

    @torch.no_grad()
    def average_statistics(self, modules: Iterable[nn.Module]) -> None:
        """The running means and variances of batch norm, which each process measured on its own share."""
        if self.size == 1:
            return
        every = [each for module in modules for each in module.modules()]
        norms = [each for each in every if isinstance(each, nn.modules.batchnorm._BatchNorm) and each.training]
        kept = [part for norm in norms for part in (norm.running_mean, norm.running_var) if part is not None]
        for part, total in zip(kept, _summed(kept), strict=True):
            part.copy_(total / self.size)

    @torch.no_grad()
    def copy_from_main(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the tensors of process 0."""
        self.sum()
        for tensor in tensors if self.size > 1 else ():
            sent = tensor.contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)

    def check_equal(self, digests: Mapping[str, str]) -> None:
        """Raise InputError if a process has other data than process 0. `digests` are name -> digest."""
        first, *others = self.gather(dict(digests))
        for rank, other in enumerate(others, start=1):
            if wrong := [name for name in first if other.get(name) != first[name]]:
                advice = "all processes must see the same files and have the same packages"
                raise InputError(f"process {rank} has other {' and other '.join(wrong)} than process 0", advice=advice)

    def device(self, name: str) -> torch.device:
        """The device of this process for `train.device`: each process of a machine has a GPU of its own."""
        device = device_of(name)
        if self.size == 1 or device.type != "cuda":
            return device
        if name not in ("auto", "cuda"):
            wrong = f"is {name}, one GPU for {self.size} processes"
            raise InputError(wrong, key="train.device", value=name, advice="use train.device=cuda: one GPU for each")
        own, there = ranks.local_rank(), torch.cuda.device_count()
        if own >= there:
            advice = f"start {there} on this machine, or use train.device=cpu"
            raise InputError(f"process {own + 1} of this machine has no GPU: it has {there}", advice=advice)
        torch.cuda.set_device(own)
        return torch.device("cuda", own)

    def fail(self, error: Exception) -> Exception:
        """Report an error to the other processes. Returns what to raise: the error of the lowest process."""
        try:
            self._meet((), error)
        except Lost:
            return error
        except (ShowtellError, OSError) as first:
            return first
        raise AssertionError("a meeting with an error raises")

    def _meet(self, numbers: Sequence[float], error: Exception | None = None) -> list[float]:
        """Sum a few numbers. Every exchange begins with this, in the same form, so that an error reaches all."""
        failed = float(error is not None)
        carried = torch.tensor([failed, *numbers, *[0.0] * (NUMBERS - len(numbers))], dtype=torch.float64)
        try:
            dist.all_reduce(carried)
            errors = self._gather(None if error is None else str(error)) if carried[0] else []
        except RuntimeError as lost:
            raise Lost from lost
        for rank, text in enumerate(errors):
            if text is not None:
                raise error if error is not None and rank == self.rank else Ended(f"process {rank}: {text}")
        return carried[1 : 1 + len(numbers)].tolist()

    def _gather(self, value: Any) -> list[Any]:
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values


ALONE = World()
_joined: World | None = None


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started. Without torchrun, this process is alone.

    If one of them raises an error of ours inside `with`, all of them raise one. Inside another `joined()`, the same
    World comes back.
    """
    global _joined
    if ranks.size() == 1 or _joined is not None:
        yield _joined or ALONE
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, timeout=PATIENCE)
    _joined = world = World(dist.get_rank(), dist.get_world_size())
    try:
        yield world
        world.sum()  # process 0 may still write
    except (Ended, Lost):
        raise
    except (ShowtellError, OSError) as error:
        raise world.fail(error) from None
    finally:
        _joined = None
        dist.destroy_process_group()


def _summed(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The sum of each tensor over all processes. One exchange for all of them is faster than many small ones."""
    if not tensors:
        return []
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    try:
        dist.all_reduce(flat)
    except RuntimeError as error:
        raise Lost from error
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]
