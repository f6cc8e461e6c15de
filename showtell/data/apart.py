"""A photo that may take long, or fill the memory, is decoded in a process of its own, which can be ended.

Their headers say which photos these are. All others are decoded where they are, because a process costs half a second.
A progressive JPEG repeats its picture in scans, each a bit finer. Cameras write about ten; a small file may have
12,000, and each costs as much as decoding the picture once.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

LARGE_FILE = 2**24  # bytes; a smaller file has not enough room for a header that takes minutes
HEAVY = 40_000_000  # pixels; WebP takes 16 bytes for each of them
HEAVY_SCANS = 500_000_000  # pixels times scans
HEAVY_RUNS = 4_000_000  # pixels of a BMP with run lengths, which Pillow decodes in Python
SECONDS, CPU_SECONDS = 60, 12  # a machine may be busy, so the process may wait
MEMORY = 1_400_000_000  # bytes
BLOCK = 2**20
START_OF_SCAN = b"\xff\xda"


def is_large_file(file: BinaryIO) -> bool:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size > LARGE_FILE


def is_suspicious(image: Image.Image, file: BinaryIO, kept_whole: int) -> bool:
    """`kept_whole` are the pixels of a picture with several scans, which the decoder keeps before it shrinks; or 0."""
    pixels = max(image.width * image.height, kept_whole)
    kind = {tile[0] for tile in getattr(image, "tile", ())}
    if "bmp_rle" in kind and pixels > HEAVY_RUNS:
        return True
    has_scans = kept_whole or "libtiff" in kind
    return pixels > HEAVY or bool(has_scans and pixels * _scans(file) > HEAVY_SCANS)


def _scans(file: BinaryIO) -> int:
    """How often the marker of a scan is in the file. In a scan itself, no byte after ff is da."""
    file.seek(0)
    number, last = 0, b""
    while block := file.read(BLOCK):
        number += (last + block).count(START_OF_SCAN)
        last = block[-1:]
    return number


def decode_apart(file: BinaryIO, at_least: int | None, formats: Sequence[str]) -> Image.Image | str:
    """The picture as `open_image` makes it, or the reason why there is none."""
    home = str(Path(__file__).resolve().parents[2])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    # Safe path: without it, Python would import modules from the folder that the user works in.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "showtell.data.decoded", json.dumps([at_least, list(formats)])]
    with _on_disk(file) as photo:
        try:
            done = subprocess.run(
                command,
                stdin=photo,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "takes too long to decode"
        except OSError:  # no more processes, or no memory for one
            return "too large for the memory"
    return _picture(done.stdout)


def _picture(answer: bytes) -> Image.Image | str:
    line, _, pixels = answer.partition(b"\n")
    if not line:  # the system ended the process: at its limit of time, as memory that is refused is an answer
        return "takes too long to decode"
    said: Any = json.loads(line)
    return said if isinstance(said, str) else Image.frombytes("RGB", tuple(said), pixels)


@contextmanager
def _on_disk(file: BinaryIO) -> Iterator[BinaryIO]:
    """A file that another process can read: an upload is only in the memory."""
    file.seek(0)
    try:
        file.fileno()
    except OSError:
        with tempfile.TemporaryFile() as copy:
            copy.write(file.read())
            copy.seek(0)
            yield copy
        return
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    yield file
