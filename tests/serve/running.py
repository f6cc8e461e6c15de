"""A server of a small captioner on a free port of this machine, in a thread; and files that clients send."""

import contextlib
import io
import struct
import threading
import time
import zlib

import httpx
import numpy as np
from PIL import Image

from showtell.serve.app import make_app
from showtell.serve.limits import Limits
from showtell.serve.model import Model
from showtell.serve.run import Server, listen, settings_of
from tests.report.small import small_captioner

BEAM = {"name": "beam", "num_beams": 3, "max_length": 9, "min_length": 5}


class InThread(Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


def small_models(*names):
    return [Model(name, small_captioner(decode=BEAM)) for name in names or ("small",)]


@contextlib.contextmanager
def running(load=small_models, wait_ready=None, **limits):
    """Yields an httpx client whose `desk` is the server's. It is ready if `load` is the usual one, or if asked."""
    wait_ready = load is small_models if wait_ready is None else wait_ready
    app = make_app(load, Limits(**limits), lambda error: None)
    with listen("127.0.0.1", 0) as listening:
        server = InThread(settings_of(app, Limits(**limits)))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                client.desk = app.state.desk
                end = time.monotonic() + 60
                while not server.started or (wait_ready and not client.desk.ready):
                    assert time.monotonic() < end
                    time.sleep(0.01)
                yield client
        finally:
            server.should_exit = True
            thread.join(40)
    assert not thread.is_alive()


def photo(seed=0, size=(50, 30)):
    """A picture of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def encoded(image=None, form="PNG"):
    file = io.BytesIO()
    (image or photo()).save(file, form)
    return file.getvalue()


def bomb(width=20_000, height=10_000):
    """200 million black pixels as a PNG of about 30 kB."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def send(client, *contents, path="/v1/caption", **fields):
    """POST photos. A field `decode_num_beams` is sent as `decode.num_beams`."""
    files = [("file", (f"{place}.jpg", content)) for place, content in enumerate(contents)]
    data = {key.replace("decode_", "decode."): value for key, value in fields.items()}
    return client.post(path, files=files, data=data)
