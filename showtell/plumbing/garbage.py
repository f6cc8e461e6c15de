"""Python's search for garbage, out of the way while a command starts and when its process ends.

Torch and what comes with it are some hundred thousand objects that stay as long as the process. Python would look
through them again and again while they are made, and once more at the end: a third of the time of `import torch`.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """For imports: no search meanwhile, and none later among what the first of them made."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # a process that runs many commands has real garbage by the second
            gc.freeze()
        if searching:
            gc.enable()


def leave_at_exit() -> None:
    """When the process ends, what is still there goes with it, without a search."""
    atexit.unregister(gc.freeze)  # else once more for each command of this process
    atexit.register(gc.freeze)
