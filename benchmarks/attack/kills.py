"""Commands that are killed, find a full disk, or run twice at once: the same line again must end as it always does."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from benchmarks.attack.forked import Child, command, wrong

LEFT = ("*.part", "*.half", ".lock", "*.partial", ".last-*", "*.before")  # what no finished command leaves
PLENTY = 1e9  # MB: training is not measured
DISK = 2**21  # bytes
Lines = Callable[[Path, Path, bool], tuple[object, ...]]


def training(seeds: Path, folder: Path, again: bool) -> tuple[object, ...]:
    goes_on = again and (folder / "run" / "last").exists()
    return ("train", seeds / "recipe.yaml", "--run", folder / "run", *["--resume"] * goes_on)


def captioning(seeds: Path, folder: Path, again: bool) -> tuple[object, ...]:
    goes_on = again and (folder / "out.jsonl.partial").exists()
    words = ("caption", seeds / "photos", "--model", seeds / "run", "--out", folder / "out.jsonl")
    return (*words, *["--resume"] * goes_on)


def evaluating(seeds: Path, folder: Path, again: bool) -> tuple[object, ...]:
    return ("evaluate", seeds / "run", "--out", folder / "scores", "evaluate.metrics=[CIDEr-D]")


def joining(seeds: Path, folder: Path, again: bool) -> tuple[object, ...]:
    return ("ensemble", seeds / "run", seeds / "second", "--run", folder / "both")


# The command, and the files that must be the same however often it was stopped.
LINES: dict[str, tuple[Lines, tuple[str, ...]]] = {
    "train": (training, ("run/model.safetensors", "run/metrics.csv")),
    "caption": (captioning, ("out.jsonl",)),
    "evaluate": (evaluating, ("scores/captions-val.json",)),
    "ensemble": (joining, ("both/recipe.yaml", "both/members/1/model.safetensors")),
}


def kill(name: str, seeds: Path, folder: Path, random: Random) -> str:
    """What is wrong after a kill at a random moment and the same line again; empty if nothing is."""
    seconds = _whole(name, seeds, folder.parent / "whole")
    for _ in range(random.choice((1, 1, 2))):
        _start(name, seeds, folder, again=True).wait(kill_after=random.uniform(0, seconds))
    return _ends_well(name, seeds, folder, folder.parent / "whole")


def change(name: str, seeds: Path, folder: Path, random: Random) -> str:
    """What is wrong after a kill just before a rename, an unlink or an fsync, and the same line again."""
    _whole(name, seeds, folder.parent / "whole")
    changes = int((folder.parent / "whole" / f"{name}.changes").read_text())
    ended = _start(name, seeds, folder, again=False, ends_at=random.randrange(changes)).wait()
    if ended.code not in (-signal.SIGKILL, 0):  # 0: it made fewer changes this time
        return f"killed at a change: {wrong(ended) or ended.code}"
    return _ends_well(name, seeds, folder, folder.parent / "whole")


def twice(name: str, seeds: Path, folder: Path, random: Random) -> str:
    """What is wrong if the same line runs twice at once; the second may be refused."""
    _whole(name, seeds, folder.parent / "whole")
    first, second = (_start(name, seeds, folder, again=False, number=number) for number in (1, 2))
    for child in (first, second):
        if reason := wrong(child.wait(), megabytes=PLENTY):
            return f"two at once: {reason}"
    return _ends_well(name, seeds, folder, folder.parent / "whole", run_again=False)


def fill(name: str, seeds: Path, folder: Path, random: Random) -> str:
    """What is wrong if the disk is full at a random moment, and after it has room again. Only root can try it."""
    _whole(name, seeds, folder.parent / "whole")
    with _small_disk(folder) as mounted:
        if not mounted:
            return ""
        (folder / "filler").write_bytes(bytes(random.randrange(DISK)))
        if reason := wrong(_start(name, seeds, folder, again=False).wait(), megabytes=PLENTY):
            return f"full disk: {reason}"
        (folder / "filler").unlink()
        return _ends_well(name, seeds, folder, folder.parent / "whole")


def _whole(name: str, seeds: Path, folder: Path) -> float:
    """Run the line once without a kill; its seconds."""
    if not (folder / f"{name}.seconds").exists():
        folder.mkdir(exist_ok=True)
        ended = _start(name, seeds, folder, again=False).wait()
        if ended.code:
            raise RuntimeError(f"{name} fails without any kill: {ended.said}")
        shutil.copyfile(folder.parent / "said-1.changes", folder / f"{name}.changes")
        (folder / f"{name}.seconds").write_text(str(ended.seconds))
    return float((folder / f"{name}.seconds").read_text())


def _start(name: str, seeds: Path, folder: Path, again: bool, number: int = 1, ends_at: int | None = None) -> Child:
    return Child(command(*LINES[name][0](seeds, folder, again)), folder.parent / f"said-{number}.txt", ends_at)


def _ends_well(name: str, seeds: Path, folder: Path, whole: Path, run_again: bool = True) -> str:
    if run_again:
        # If it was killed at its very end, all is made: then it may say that there is nothing to do.
        codes = (0, 2) if all((folder / file).exists() for file in LINES[name][1]) else (0,)
        ended = _start(name, seeds, folder, again=True).wait()
        if reason := wrong(ended, codes=codes, megabytes=PLENTY):
            return f"the same line again: {reason}"
    for file in LINES[name][1]:
        if not (folder / file).is_file():
            return f"{file} is missing"
        if file != "run/metrics.csv" and (folder / file).read_bytes() != (whole / file).read_bytes():
            return f"{file} differs from that of a run without a kill"
    left = [path.name for pattern in LEFT for path in folder.rglob(pattern)]
    return f"left behind: {', '.join(left)}" if left and run_again else ""


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    mounted = mounted and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], capture_output=True, check=False)
