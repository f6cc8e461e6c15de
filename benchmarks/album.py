"""What an album costs: `python -m benchmarks.album PHOTOS [--model NAME] SIZE ..`; a table line for each size.

The album has SIZE photos: links to those of the folder PHOTOS, in turn. Without --model the captioner costs nothing, so
that the figures are those of the plan, reading, rows and parts alone. Each size runs in a process of its own.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from PIL.Image import Image

import showtell
from benchmarks.results.page import head, row
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.predict.album.run import Asked, caption_album
from showtell.predict.album.sources import Source

PHOTOS = {".jpg", ".jpeg", ".png"}
LOOKS_EVERY = 0.02  # seconds


class Free(Captioner):
    """It says the same of every photo."""

    name = "free"

    def caption(self, images: Sequence[Image], **decode: Any) -> list[Caption]:
        return [Caption("a photo", [1, 2], -0.5)] * len(images)

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.album", description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("sizes", type=int, nargs="+", metavar="SIZE")
    parser.add_argument("--model")
    given = parser.parse_args()
    columns = ("photos", "seconds", "processor time", "for each photo", "anonymous memory, first part to last")
    print("\n".join(head(columns)), flush=True)
    for size in given.sizes:
        child = os.fork()
        if not child:
            measure(given.photos, size, given.model)
            os._exit(0)
        os.waitpid(child, 0)


def measure(photos: Path, size: int, model: str | None) -> None:
    with tempfile.TemporaryDirectory() as home:
        album, out = Path(home, "album"), Path(home, "captions")
        fill(album, photos, size)
        captioner = Free() if model is None else showtell.load(model)
        memory: list[float] = []
        watcher = threading.Thread(target=watch, args=(out, memory), daemon=True)
        began, spent = time.perf_counter(), time.process_time()
        watcher.start()
        report = caption_album(captioner, model or "free", Source([album]), Asked(out))
        seconds, spent = time.perf_counter() - began, time.process_time() - spent
        memory.append(anonymous())
        pace = f"{1000 * spent / report.photos:.1f} ms"
        kept = " to ".join(dict.fromkeys(f"{value:.0f}" for value in (memory[0], memory[-1])))
        print(row([f"{report.photos:,}", f"{seconds:.1f}", f"{spent:.1f} s", pace, f"{kept} MB"]), flush=True)


def fill(album: Path, photos: Path, size: int) -> None:
    """Symbolic links, in folders of a thousand."""
    found = sorted(path for path in photos.iterdir() if path.suffix.lower() in PHOTOS)
    for number, photo in enumerate(islice(cycle(found), size)):
        folder = album / f"{number // 1000:04}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:07}{photo.suffix}").symlink_to(photo.absolute())


def watch(out: Path, memory: list[float]) -> None:
    """Note the memory when the first part is there."""
    while not any(out.glob("part-*.jsonl")):
        time.sleep(LOOKS_EVERY)
    memory.append(anonymous())


def anonymous() -> float:
    """Megabytes of this process that no file backs."""
    lines: Mapping[str, str] = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024


if __name__ == "__main__":
    main()
