"""Python's search for garbage, out of the way while a command starts and when it ends.

Torch and what comes with it are some hundred thousand objects that stay as long as the process. Python would look
through them again and again while they are made, and once more at the end: a third of the time of `import torch`.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """For imports: no search meanwhile, and none later among what was made. Then the search goes on as before."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if searching:
            gc.enable()


def end() -> None:
    """For a command's last line: what is still there goes with the process."""
    gc.freeze()
