"""This process -> who made a file: the command, Showtell's version and commit, and the day."""

import functools
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from showtell import __version__

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
        folder = json.loads((run / MADE).read_text("utf-8"))["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(folder) if isinstance(folder, str) and Path(folder).is_absolute() else None


def command() -> str:
    """The `showtell` command of this process, as it can be typed again."""
    if Path(sys.argv[0]).name.removesuffix(".exe") not in COMMANDS:
        return ""
    return shlex.join(["showtell", *sys.argv[1:]])


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
