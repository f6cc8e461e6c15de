"""`train.device` and `train.precision` of a recipe -> the torch device and autocast."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

USUAL = ("auto", "cpu", "cuda", "mps")


def device_of(name: str) -> torch.device:
    """`auto` is cuda if there is one, else the CPU. Raises InputError if this machine does not have the device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        number = torch.ones(1, device=name)
        number.cpu()  # `meta` has no numbers
        return number.device
    except (RuntimeError, AssertionError) as error:
        raise _refused(name, error) from None


def free_memory(name: str = "cpu") -> int | None:
    """Bytes that this process may still take on a device; None if the system does not say."""
    if name.startswith("cuda") and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    free: list[int] = []
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
            free.append(max(0, limit - taken))
    except (OSError, KeyError, ValueError, AttributeError):  # not Linux
        pass
    return min(free, default=None)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """bf16 if `precision` says so, or if `auto` finds hardware that multiplies in bf16. Weights stay in fp32."""
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bf16" or (precision == "auto" and _fast_bf16(device))
    )


def runs_bf16(device: torch.device) -> bool:
    """Whether all of torch's layers run in bf16 on this device, even if slowly. On a CPU, the LSTM needs AVX-512."""
    return device.type != "cpu" or bool(_abilities().get("avx512_bw"))


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Inside `with`, numbers below 1e-38 become zero. They make a CPU slow, and saturated gates make many of them."""
    before = float(torch.tensor([1e-30]) * 1e-10) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def give_back_memory() -> None:
    """Give freed memory back to the system, which glibc does not do by itself.

    Batches of different lengths leave gaps in its heap. They grow to a large part of what a training holds.
    """
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None where there is another C library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def _refused(name: str, error: Exception) -> InputError:
    if name.partition(":")[0] in USUAL:
        wrong = f"is {name!r}: {str(error).splitlines()[0]}"
        return InputError(wrong, key="train.device", value=name, advice="cpu always works")
    near = "cuda" if name.lower().startswith("gpu") else nearest(name, USUAL)
    takes = f"{', '.join(USUAL)} or another device of torch"
    return InputError(key="train.device", value=name, takes=takes, near=near)


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    able = _abilities() if device.type == "cpu" else {}
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@cache
def _abilities() -> dict[str, object]:
    """The instructions that this CPU has; empty if torch is too old to report them."""
    return dict(torch.cpu.get_capabilities()) if hasattr(torch.cpu, "get_capabilities") else {}
