"""The frame of a course's script: a user's mistake prints one line and gives exit code 2, never a traceback."""

import sys
from collections.abc import Callable

from typer import Exit

from showtell.plumbing.console import Plain
from showtell.plumbing.errors import Interrupted, ShowtellError

console = Plain(stderr=True, highlight=False)


def run_script(main: Callable[[], int | None]) -> None:
    """Call `main` and leave with its exit code. 0: done; 1: refused; 2: wrong use; 130: stopped."""
    try:
        code = main() or 0
    except ShowtellError as error:
        leave(str(error))
    except OSError as error:
        leave(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (Interrupted, KeyboardInterrupt) as stop:
        leave(str(stop) or "stopped", 130)
    except Exit as asked:
        sys.exit(asked.exit_code)
    else:
        sys.exit(code)


def leave(wrong: str, code: int = 2) -> None:
    console.print(f"error: {' '.join(wrong.split())}", markup=False, soft_wrap=True)
    sys.exit(code)
