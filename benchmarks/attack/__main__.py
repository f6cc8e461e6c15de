"""`python -m benchmarks.attack [--inputs N] [--kills N] [--seed N] [--only NAME,..]`: attack the commands.

It prints each failure with its seed, keeps its files in `attack/` if they are small, and ends with 1 if there is any.
"""

import argparse
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}  # read when the libraries are imported

import torch

import showtell
from benchmarks.attack.forked import Child, wrong
from benchmarks.attack.inputs import KINDS
from benchmarks.attack.kills import LINES, change, fill, kill, twice
from benchmarks.attack.seeds import make

KEPT = Path("attack")
LARGEST = 2**20  # bytes of a file that is kept
TWICE_AND_FULL = 10  # of so many kills, one is followed by two processes at once, and by a full disk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged inputs")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="of the first attack; the next has the next number")
    parser.add_argument("--only", help=f"kinds of input, or commands to kill, of {', '.join([*KINDS, *LINES])}")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else [*KINDS, *LINES]
    import_everything()
    with tempfile.TemporaryDirectory() as home:
        os.environ["SHOWTELL_CACHE"] = f"{home}/cache"
        seeds = Path(home, "seeds")
        make(seeds)
        shutil.copytree(seeds / "run", seeds / "second")
        failed = 0
        for seed in range(given.seed, given.seed + given.inputs):
            names = [name for name in KINDS if name in only]
            failed += bool(names) and not try_input(names[seed % len(names)], seeds, Path(home, "work"), seed)
        for seed in range(given.seed, given.seed + given.kills):
            names = [name for name in LINES if name in only]
            failed += bool(names) and not try_kill(names[seed % len(names)], seeds, Path(home, "work"), seed)
    print(f"{given.inputs:,} inputs and {given.kills:,} kills from seed {given.seed}: {failed:,} failed")
    return int(failed > 0)


def import_everything() -> None:
    """Import all of Showtell, so that a forked child begins at once."""
    torch.set_num_threads(1)  # a fork of several threads may hang
    for module in pkgutil.walk_packages(showtell.__path__, "showtell."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError:  # an extra that is not installed
                continue


def try_input(kind: str, seeds: Path, work: Path, seed: int) -> bool:
    """Damage one input of the kind; whether its command ended well and wrote nothing outside its folder."""
    case, outside = _prepared(work)
    reason = wrong(Child(KINDS[kind](seeds, case, Random(f"{kind} {seed}")), work / "said.txt").wait())
    if not reason and [path.name for path in outside.iterdir()] != ["kept"]:
        reason = "it wrote outside its folder"
    return _noted(kind, seed, reason, work)


def try_kill(name: str, seeds: Path, work: Path, seed: int) -> bool:
    """Kill a command at a random moment, or before a change of its files. Whether all ended well.

    For some seeds it also runs twice at once, and on a full disk.
    """
    turn = seed // len(LINES)
    ways = (kill, twice, fill) if turn % TWICE_AND_FULL == 0 else (change,) if turn % 2 else (kill,)
    well = True
    for way in ways:
        case, _ = _prepared(work)
        well &= _noted(f"{name}-{way.__name__}", seed, way(name, seeds, case, Random(f"{name} {seed}")), work)
    return well


def _prepared(work: Path) -> tuple[Path, Path]:
    case, outside = work / "case", work / "outside"
    for folder in (case, outside):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    (outside / "kept").touch()
    return case, outside


def _noted(name: str, seed: int, reason: str, work: Path) -> bool:
    if not reason:
        return True
    print(f"{name}, seed {seed}: {reason}", flush=True)
    kept = KEPT / f"{name}-{seed}"
    for path in [*(work / "case").rglob("*"), *work.glob("said*.txt")]:
        if path.is_file() and path.stat().st_size <= LARGEST:
            place = kept / path.relative_to(work)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return False


if __name__ == "__main__":
    sys.exit(main())
