"""Damages photos byte by byte and reads them with little memory: `python -m tests.data.damage COUNT FOLDER [PHOTOS]`.

Prints how many gave a picture, how many were refused for which reason, and the slowest in seconds of work.
"""

import json
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from showtell.data.images import open_image
from showtell.plumbing.errors import Unreadable

MEMORY = 2 << 30  # more than at the start: a picture of the largest size allowed, and its copy
Draw = random.Random


def whole(folder: Path) -> list[bytes]:
    """A few files of every format and kind."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((96, 72))
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: dict[str, dict] = {
        "a.jpg": {"exif": exif},
        "b.jpg": {"progressive": True},
        "a.png": {"exif": exif},
        "a.webp": {"exif": exif},
        "b.webp": {"lossless": True},
        "a.bmp": {},
        "a.gif": {},
        "a.tif": {"exif": exif},
        "b.tif": {"compression": "tiff_lzw"},
        "c.tif": {"compression": "jpeg"},
    }
    for name, options in kinds.items():
        image.save(folder / name, **options)
    image.convert("CMYK").save(folder / "cmyk.jpg")
    image.convert("P").save(folder / "palette.png", transparency=3)
    image.save(folder / "moving.gif", save_all=True, append_images=[image.rotate(90)])
    image.save(folder / "moving.webp", save_all=True, append_images=[image.rotate(90)])
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def flip(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    for _ in range(draw.choice((1, 3, 20, 200))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return content


def cut(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    return content[: draw.randrange(len(content))]


def insert(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    place = draw.randrange(len(content))
    content[place:place] = draw.randbytes(draw.choice((1, 7, 500)))
    return content


def lose(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    place = draw.randrange(len(content))
    del content[place : place + draw.choice((1, 7, 500))]
    return content


def swap_header(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    size = draw.choice((4, 12, 64, 300))
    return bytearray(draw.choice(others)[:size]) + content[size:]


def lie(draw: Draw, content: bytearray, others: list[bytes]) -> bytearray:
    """Large or odd numbers where sizes stand: in a PNG's or JPEG's header, or anywhere near the start."""
    number = draw.choice((0, 1, 255, 15_000, 40_000, 65_535, 2**31 - 1, 2**32 - 1))
    if content[:4] == b"\x89PNG":
        place = draw.choice((16, 20))
        content[place : place + 4] = struct.pack(">I", number)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        return content
    frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) if content[:2] == b"\xff\xd8" else -1
    place = frame + draw.choice((5, 7)) if frame > 0 else draw.randrange(min(len(content), 200))
    form = draw.choice((">H", "<H", "<I")) if frame < 0 else ">H"
    packed = struct.pack(form, number & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
    content[place : place + len(packed)] = packed
    return content


DAMAGES: tuple[Callable[[Draw, bytearray, list[bytes]], bytearray], ...] = (flip, cut, insert, lose, swap_header, lie)


def main(count: int, folder: Path, photos: Path | None) -> None:
    sources = whole(folder)
    if photos is not None:
        sources += [path.read_bytes() for path in sorted(photos.iterdir())[:40]]
    grown = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (grown + MEMORY, grown + MEMORY))
    path, counted, slowest = folder / "damaged.jpg", Counter[str](), 0.0
    for number in range(count):
        draw = Draw(number)
        damaged = draw.choice(DAMAGES)(draw, bytearray(draw.choice(sources)), sources)
        if draw.random() < 0.2:
            damaged = draw.choice(DAMAGES)(draw, damaged or bytearray(b"\0"), sources)
        path.write_bytes(damaged)
        started = time.process_time()
        try:
            opened = open_image(path, at_least=draw.choice((None, 64)))
            counted["a picture" if opened.mode == "RGB" and opened.width * opened.height else "nothing"] += 1
        except Unreadable as error:
            counted[error.reason] += 1
        slowest = max(slowest, time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # Linux counts in KiB
    print(json.dumps({"counted": dict(counted.most_common()), "slowest": slowest, "peak MiB": peak}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
