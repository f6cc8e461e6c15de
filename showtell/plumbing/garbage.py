"""Switch Python's garbage collector off while a command starts and when its process ends. This is only for speed.

`import torch` makes some hundred thousand objects that live as long as the process. The collector would search them
again and again meanwhile, and once more at the end; that is a third of the import's time.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """For imports: inside `with`, the collector is off. Later it ignores the objects that the first import made."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # only the first time: later commands of this process have real garbage
            gc.freeze()
        if searching:
            gc.enable()


def leave_at_exit() -> None:
    """Let the process end without a last search for garbage."""
    atexit.unregister(gc.freeze)  # else it is registered again for each command of this process
    atexit.register(gc.freeze)
