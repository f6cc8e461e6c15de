"""How a user's input can be wrong; the command line turns each into one clear line and an exit code."""

from pathlib import Path

from showtell.plumbing.messages import printable


class ShowtellError(ValueError):
    """A mistake in what was asked for or handed in: says what, what is allowed, and what to do."""


class RecipeError(ShowtellError):
    """A recipe or a `key=value` that cannot be meant: the key as written, its value, what is allowed."""


class InputError(ShowtellError):
    """A file, photo or caption that cannot be used: its name and what is wrong with it."""


class Unreadable(InputError):
    """A file that gives no picture: its name and a `reason` of few words, the same for all of its kind."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{printable(path.name or str(path))}: {reason}")
        self.reason = reason


class Interrupted(Exception):
    """Stopped by Ctrl-C or SIGTERM, after everything worth keeping was written."""
