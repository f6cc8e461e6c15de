"""This process -> who made a file: the command, Showtell's version and commit, and the day."""

import functools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from showtell import __version__
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import RECIPE, read_json

MADE = "made.json"  # in a run folder: what `begun` said when its training began
COMMANDS = ("showtell", "__main__.py")  # names of the program behind which the rest of the command line stands


def origin() -> dict[str, Any]:
    """What is needed to make a file again. From Python the command is empty, because nobody typed one."""
    return {"command": command(), "version": __version__, "commit": commit(), "date": time.strftime("%Y-%m-%d")}


def begun() -> dict[str, Any]:
    """`origin`, and the folder in which the command was typed: relative paths of its recipe begin there."""
    try:
        return origin() | {"folder": os.getcwd()}  # noqa: PTH109 - the same
    except OSError:  # it was deleted
        return origin()


def made_in(run: Path) -> Path | None:
    """The folder in which a run's training was started; None if the run does not say."""
    try:
        folder = read_json(run / MADE, RECIPE)["folder"]
    except (InputError, KeyError, TypeError):
        return None
    return Path(folder) if isinstance(folder, str) and Path(folder).is_absolute() else None


def command() -> str:
    """The `showtell` command of this process, as it can be typed again."""
    if Path(sys.argv[0]).name.removesuffix(".exe") not in COMMANDS:
        return ""
    return shlex.join(["showtell", *(public(word) for word in sys.argv[1:])])


def public(word: str) -> str:
    """A word of a command or recipe without the folders of this machine, for what others may read.

    A path below the working folder becomes relative, one below the home folder begins with `~`, and of any other
    absolute path the last name is kept: `data.root=/srv/ana/flickr8k` becomes `data.root=.../flickr8k`.
    """
    before, mark, path = word.rpartition("=") if "=/" in word else ("", "", word)
    if not Path(path).is_absolute():
        return word
    for place, begin in ((_folder(os.getcwd), ""), (_folder(lambda: os.path.expanduser("~")), "~/")):  # noqa: PTH111
        if place is not None and Path(path).is_relative_to(place) and len(place.parts) > 1:
            return f"{before}{mark}{begin}{Path(path).relative_to(place).as_posix()}"
    return f"{before}{mark}.../{Path(path).name}" if Path(path).name else word


def public_values(value: Any) -> Any:
    """`public` for every text in lists and dicts, such as a recipe."""
    if isinstance(value, str):
        return public(value)
    if isinstance(value, dict):
        return {key: public_values(each) for key, each in value.items()}
    return [public_values(each) for each in value] if isinstance(value, list) else value


def _folder(ask: Callable[[], str]) -> Path | None:
    try:
        return Path(ask())
    except OSError:  # the working folder was deleted
        return None


@functools.cache
def commit() -> str:
    """The commit of Showtell's own checkout, with `-dirty` after local changes; empty if it was installed."""
    home = Path(__file__).resolve().parents[2]
    if not (home / ".git").exists():
        return ""
    ask = ["git", "-C", str(home), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
