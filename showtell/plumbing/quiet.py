"""transformers without its own bars and remarks: what is wrong becomes one error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """`bars` leaves the progress bars, for what may be a long download."""
    from transformers.utils import logging

    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if not bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
