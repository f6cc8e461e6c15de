"""A command in a forked child that has imported everything once -> how it ended, what it printed, how much it took."""

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from showtell.cli import main
from showtell.plumbing.errors import ShowtellError

SECONDS = 20.0  # after which a command hangs
MEGABYTES = 1500
POLL = 0.005  # seconds
# Changes of files, as Python reports them: a replace is a rename
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link")
DONE = (0, 2, 3)  # exit codes: done, a user's mistake, some photos cannot be read


class Ended(NamedTuple):
    code: int  # below zero: the number of the signal that ended it
    said: str
    seconds: float
    megabytes: float
    late: bool


class Child:
    """A running command. Its output goes into the file `said`."""

    def __init__(self, work: Callable[[], object], said: Path, ends_at: int | None = None) -> None:
        """With `ends_at` it is killed just before one of its renames, unlinks and fsyncs: 0 is the first."""
        self.said, self.began = said, time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _run(work, said, ends_at)
        with contextlib.suppress(OSError):  # the child does the same, but may be killed before it begins
            os.setpgid(self.pid, self.pid)

    def wait(self, kill_after: float | None = None) -> Ended:
        """Wait until it ends. It is killed after `kill_after` seconds on purpose, or because it is late."""
        limit = SECONDS if kill_after is None else kill_after
        while True:
            ended, status, usage = os.wait4(self.pid, os.WNOHANG)
            seconds = time.monotonic() - self.began
            if ended:
                break
            if seconds > limit:
                os.killpg(self.pid, signal.SIGKILL)
                ended, status, usage = os.wait4(self.pid, 0)
                break
            time.sleep(POLL)
        late = kill_after is None and seconds > limit
        text = self.said.read_text("utf-8", "replace") if self.said.exists() else ""
        return Ended(os.waitstatus_to_exitcode(status), text, seconds, usage.ru_maxrss / 1024, late)


def wrong(ended: Ended, codes: tuple[int, ...] = DONE, megabytes: float = MEGABYTES) -> str:
    """What is wrong with how it ended; empty if nothing is."""
    if ended.late:
        return f"it hangs: over {SECONDS:.0f} s"
    if "Traceback (most recent call last)" in ended.said:
        return "a traceback"
    if ended.code < 0:
        return f"ended by signal {-ended.code}"
    if ended.code not in codes:
        return f"exit code {ended.code}"
    return f"{ended.megabytes:,.0f} MB of memory" if ended.megabytes > megabytes else ""


def command(*words: object) -> Callable[[], None]:
    """The `showtell` command with these words."""

    def work() -> None:
        sys.argv = ["showtell", *map(str, words)]
        main()

    return work


def _watch(ends_at: int | None) -> list[int]:
    """Count changes of files in the list's one place. Kill this process, and what it started, before one of them."""
    made = [0]

    def count() -> None:
        if made[0] == ends_at:
            os.killpg(0, signal.SIGKILL)
        made[0] += 1

    def heard(event: str, _: tuple[object, ...]) -> None:
        if event in CHANGES:
            count()

    def fsync(file: int, really: Callable[[int], None] = os.fsync) -> None:
        count()
        really(file)

    sys.addaudithook(heard)
    os.fsync = fsync  # Python reports no fsync
    return made


def _run(work: Callable[[], object], said: Path, ends_at: int | None) -> NoReturn:
    code, made = 1, [0]
    try:
        os.setpgid(0, 0)  # a kill also ends what it starts
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with said.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        made = _watch(ends_at)
        work()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except ShowtellError:
        code = 2
    except BaseException:
        traceback.print_exc()
    finally:
        said.with_suffix(".changes").write_text(str(made[0]))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
