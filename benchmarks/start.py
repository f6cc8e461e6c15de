"""How long a command takes to start, in processor time of whole processes, beside that of `import torch`.

A machine that is shared lets processes wait, so the clock on the wall says little here. The least of the repeats
counts: everything else a process is charged for only adds to it.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.timing import Ratio

MORE = 10  # photos after the first
TORCH = "import torch"


def run(quick: bool = False) -> list[Ratio]:
    repeats, more = (1, 1) if quick else (5, MORE)
    with tempfile.TemporaryDirectory() as folder:
        paths = photos(Path(folder), 1 + more)
        commands = {
            TORCH: ["-c", TORCH],
            "--help": ["-m", "showtell", "--help"],
            "caption one photo": ["-m", "showtell", "caption", paths[0]],
            "caption all": ["-m", "showtell", "caption", *paths],
        }
        turns = [{name: _seconds(words) for name, words in commands.items()} for _ in range(1 + repeats)][1:]
    took = {name: [turn[name] for turn in turns] for name in commands}
    photo = max(min(took["caption all"]) - min(took["caption one photo"]), 1e-3) / more
    return [
        _ratio("--help", took, min(took["--help"]), target=4),
        _ratio("caption one photo", took, min(took["caption one photo"]), target=0.7),
        _ratio("caption a second photo", took, photo, target=22),
    ]


def _ratio(what: str, took: dict[str, list[float]], ours: float, target: float) -> Ratio:
    """The least of the imports over our least; beside it what the others give."""
    peers = sorted(took[TORCH])
    note = f"processor time; {TORCH}: {peers[0]:.2f} s"
    ratios = [peer / ours for peer in peers]
    return Ratio(f"start: {TORCH} / {what}", ratios[0], ratios[0], ratios[-1], target, ours, note)


def _seconds(words: list[str]) -> float:
    """Of the processor, with one thread: in the process itself and in the system for it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def photos(folder: Path, count: int) -> list[str]:
    """Clouds of noise in colour: the model says something of each."""
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        coarse = Image.merge("RGB", [Image.effect_noise((6 + number, 5), 90 + 20 * band) for band in range(3)])
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path)
    return [str(path) for path in paths]
