"""`python -m benchmarks [NAME ...] [--quick] [--out FILE.json]`: run the named benchmarks, or all."""

import argparse
import json
import os
import platform
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import attention, beam, cached_decoding, epoch, exported, generate, limit, metrics, reading, start
from benchmarks.timing import CLOCKS, clock

BENCHMARKS = {
    "attention": attention.run,
    "epoch": epoch.run,
    "beam": beam.run,
    "cached_decoding": cached_decoding.run,
    "generate": generate.run,
    "exported": exported.run,
    "limit": limit.run,
    "reading": reading.run,
    "metrics": metrics.run,
    "start": start.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all unless given")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
    parser.add_argument("--out", type=Path, help="a JSON file for the ratios")
    parser.add_argument("--threads", type=int, help="of torch; as many as there are cores unless given")
    parser.add_argument("--clock", choices=CLOCKS, default=clock.name, help="processor time suits a busy machine")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"{unknown[0]!r} is not a benchmark; there are {', '.join(BENCHMARKS)}")
    clock.name = given.clock
    if given.threads:
        torch.set_num_threads(given.threads)
    console = Console()
    console.print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {os.cpu_count()} cores, {platform.machine()}; "
        f"a ratio is the peer's {given.clock} time over ours, median (least to most)"
    )
    table = Table("benchmark", "ratio", "target", "ours", "note")
    ratios = [ratio for name in given.names or BENCHMARKS for ratio in BENCHMARKS[name](given.quick)]
    for ratio in ratios:
        spread = f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})"
        target = f"at {'most' if ratio.at_most else 'least'} {ratio.target:g}" if ratio.target else ""
        table.add_row(ratio.name, spread, target, f"{ratio.seconds:.2f} s", ratio.note)
    console.print(table)
    if given.out is not None:
        given.out.write_text(json.dumps([ratio._asdict() for ratio in ratios], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
