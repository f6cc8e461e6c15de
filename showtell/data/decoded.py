"""The process that `apart` starts: a photo on standard input -> its size and pixels on standard output, or why not."""

import json
import os
import sys
from pathlib import Path

from showtell.data.apart import CPU_SECONDS, MEMORY
from showtell.data.images import read_here
from showtell.plumbing.errors import Unreadable


def main() -> None:
    at_least, formats = json.loads(sys.argv[1])
    _limit()
    try:
        with os.fdopen(os.dup(0), "rb") as photo:
            image = read_here(photo, at_least, formats, Path("photo"))
        pixels = image.tobytes()
        answer = json.dumps(image.size).encode()
    except Unreadable as error:
        answer, pixels = json.dumps(error.reason).encode(), b""
    except MemoryError:
        answer, pixels = b'"too large for the memory"', b""
    for part in (answer + b"\n", pixels):
        sys.stdout.buffer.write(part)


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: only the time is limited
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
