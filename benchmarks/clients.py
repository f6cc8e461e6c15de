"""`python -m benchmarks.clients PHOTOS [--seconds 120]`: 32 clients beset `showtell serve`; what they got is printed.

Half of what they send is a photo of the folder PHOTOS. Half is hostile: a truncated JPEG, 200 million pixels in 30 kB,
a zip, a page of HTML, 11 MB, a body that comes a byte at a time. Every photo must get the caption of `showtell caption`
and every other file its refusal. No request may be lost, and memory may grow by 500 MB at most. Then the rate of 32
clients is compared with that of one. A request that finds the queue full waits as long as it is asked to.
"""

import argparse
import contextlib
import io
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
from PIL import Image

CLIENTS = 32


class Served(NamedTuple):
    """A running server: its address and its process."""

    address: str
    process: "subprocess.Popen[str]"

    def memory(self) -> int:
        """Its resident memory in bytes, now; Linux only."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return 1024 * int(status.split("VmRSS:")[1].split()[0])


@contextlib.contextmanager
def serving(*words: str) -> Iterator[Served]:
    """`showtell serve` on a free port, ready."""
    command = [sys.executable, "-m", "showtell", "serve", "--port", "0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = None
    for line in process.stderr:
        if found := re.search(r"ready: (http://\S+)", line):
            address = found[1]
            break
    try:
        assert address is not None, "the server did not start"
        yield Served(address, process)
    finally:
        process.terminate()
        process.wait(60)


def png_bomb(width: int = 20_000, height: int = 10_000) -> bytes:
    """200 million black pixels in about 30 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def hostile(photo: bytes) -> dict[str, tuple[bytes, int]]:
    """Files that must be refused, with the status that refuses them."""
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1900, 1950, 3), dtype=np.uint8)).save(noise, "PNG")
    return {
        "truncated": (photo[: len(photo) // 2], 422),
        "bomb": (png_bomb(), 413),
        "zip": (b"PK\x03\x04" + bytes(2000), 415),
        "html": (b"<!doctype html><title>no photo</title>", 415),
        "11 MB": (noise.getvalue(), 413),
    }


def send(client: httpx.Client, content: bytes) -> httpx.Response:
    """One photo; while the queue is full, wait as long as the answer says."""
    while True:
        answer = client.post("/v1/caption", files={"file": ("photo", content)})
        if answer.status_code != 503:
            return answer
        time.sleep(float(answer.headers["retry-after"]) * random.uniform(0.5, 1))


def slow_body(served: Served, end: float) -> str:
    """Send a body a byte at a time; return the status that ends it."""
    host, port = served.address.removeprefix("http://").split(":")
    head = "POST /v1/caption HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data; boundary=x\r\n"
    head += "content-length: 9000\r\n\r\n--x\r\ncontent-disposition: form-data; name=file; filename=a\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=1) as line:
        line.sendall(head.encode())
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                line.settimeout(0.2)
                return line.recv(100).split()[1].decode()
            line.sendall(b"-")
    return "not yet"


def beset(served: Served, photos: Mapping[str, bytes], wanted: Mapping[str, str], seconds: float) -> Counter[str]:
    """What 32 clients got, counted."""
    bad = hostile(next(iter(photos.values())))
    end, got, lock = time.monotonic() + seconds, Counter[str](), threading.Lock()

    def note(what: str) -> None:
        with lock:
            got[what] += 1

    def good(client: httpx.Client, name: str) -> None:
        answer = send(client, photos[name])
        right = answer.status_code == 200 and answer.json()["captions"][0]["text"] == wanted[name]
        note("photos right" if right else f"photos WRONG ({answer.status_code})")

    def refused(client: httpx.Client, name: str) -> None:
        content, status = bad[name]
        answer = send(client, content)
        note(f"{name} refused" if answer.status_code == status else f"{name} WRONG ({answer.status_code})")

    def client_of(number: int) -> None:
        dice = random.Random(number)
        with httpx.Client(base_url=served.address, timeout=120, trust_env=False) as client:
            while time.monotonic() < end:
                try:
                    if number == 0:
                        note(f"slow body {slow_body(served, end + 30)}")
                    elif dice.random() < 0.5:
                        good(client, dice.choice([*photos]))
                    else:
                        refused(client, dice.choice([*bad]))
                except httpx.HTTPError as error:
                    note(f"LOST: {type(error).__name__}")

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client_of, range(CLIENTS)))
    return got


def rate(served: Served, photos: Mapping[str, bytes], clients: int, seconds: float) -> float:
    """Captions a second."""
    contents, end = [*photos.values()], time.monotonic() + seconds
    began, done = time.monotonic(), Counter[int]()

    def client_of(number: int) -> None:
        with httpx.Client(base_url=served.address, timeout=120, trust_env=False) as client:
            turn = number
            while time.monotonic() < end:
                assert send(client, contents[turn % len(contents)]).status_code == 200
                done[number] += 1
                turn += clients

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client_of, range(clients)))
    return sum(done.values()) / (time.monotonic() - began)


def main() -> None:
    from showtell.loading import load

    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("photos", type=Path, help="a folder of JPEGs")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--count", type=int, default=40, help="photos of the folder that are used")
    given = parser.parse_args()
    paths = sorted(given.photos.rglob("*.jpg"))[: given.count]
    captions = load("tiny").caption(paths)
    photos = {path.name: path.read_bytes() for path in paths}
    wanted = {path.name: caption.text for path, caption in zip(paths, captions, strict=True)}
    with serving() as served:
        rate(served, photos, 4, 3)  # what is allocated once
        before, peak, stop = served.memory(), [0], threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                peak[0] = max(peak[0], served.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        got = beset(served, photos, wanted, given.seconds)
        stop.set()
        watcher.join()
        for what, times in sorted(got.items()):
            print(f"{times:6,} {what}")
        print(
            f"memory: {before / 1e6:.0f} MB before, at most {peak[0] / 1e6:.0f} MB: +{(peak[0] - before) / 1e6:.0f} MB"
        )
        rates = [(rate(served, photos, 1, 10), rate(served, photos, CLIENTS, 10)) for _ in range(3)]
        for one, many in rates:
            print(f"captions/s: one client {one:.1f}, {CLIENTS} clients {many:.1f}: {many / one:.2f} times")


if __name__ == "__main__":
    main()
