"""Shared by several commands: their arguments, their consoles, and how they load a model."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError, Interrupted, ShowtellError, Unreadable
from showtell.plumbing.messages import count, printable
from showtell.plumbing.ranks import rank

out, err = Plain(soft_wrap=True), Plain(stderr=True)
Recipe = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A packaged recipe (`showtell recipes` lists them), or a YAML file.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Change options of the recipe, for example encoder=lite train.lr=1e-4."),
]
Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO_OR_FOLDER", help="Photos and folders of photos. decode.KEY=VALUE changes the decoding."
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="A run folder, a packaged model, a Hub id such as OWNER/NAME, or a folder that transformers saved."
    ),
]
SOME_UNREADABLE = 3
NO_HANDLES = (errno.EMFILE, errno.ENFILE)
SMALLER = "make something smaller, such as train.batch_size, decoder.dim, encoder.image_size or decode.num_beams"


def run(command: Callable[[], object]) -> None:
    """Run a command or a script. A user's mistake prints one line and gives exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold bytes that are not UTF-8
    try:
        os.getcwd()  # noqa: PTH109 - libraries end the process if the working folder was deleted
    except OSError:
        err.print("error: the working folder was deleted, or may not be read; change into another one")
        sys.exit(2)
    try:
        command()
    except ShowtellError as error:
        if rank() == 0:  # of several processes that train together, each has the same error
            err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not memory_ended(error):
            raise
        err.print(f"error: out of memory ({_first_line(error)}); {SMALLER}", markup=False, soft_wrap=True)
        sys.exit(2)
    except UnicodeEncodeError as error:
        name = printable(str(error.object))[:200]
        err.print(f"error: {name} has bytes that are not UTF-8; rename it", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:  # no better words were found before, for example for a full disk
        where = f"{error.filename}: " if error.filename else ""
        advice = "; raise the limit, for example with `ulimit -n 1024`" if error.errno in NO_HANDLES else ""
        if rank() == 0:
            err.print(f"error: {where}{error.strerror or error}{advice}", markup=False, soft_wrap=True)
        sys.exit(2)
    except (Interrupted, KeyboardInterrupt) as stop:
        if rank() == 0:
            err.print(str(stop) or "stopped", markup=False, soft_wrap=True)
        sys.exit(130)


def memory_ended(error: BaseException) -> bool:
    """Whether memory was full: Python's and numpy's error, or torch's, on the CPU or a GPU."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in ("out of memory", "allocate memory"))


def _first_line(error: BaseException) -> str:
    """A library's message without the place in its source: `[enforce fail at alloc_cpu.cpp:127] err == 0. ..`."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[enforce fail at [^]]*\] .*?\. (?=\w)", "", line)[:200]


def show(scores: Any) -> None:
    from showtell.report.scores import lines

    for line in lines(scores):
        out.print(line)


def photos_and_changes(words: list[str]) -> tuple[list[Path], list[str]]:
    """Split words into paths and overrides such as `decode.num_beams=3`. If a file has that name, it is a path."""
    from showtell.loading import DRIVEN, PLACES

    changes = [word for word in words if is_change(word)]
    may = ["decode", *DRIVEN, *PLACES]
    if wrong := [word for word in changes if not {*may} & {word.partition("=")[0], word.partition(".")[0]}]:
        from showtell.recipe.tables import nearest_option

        key = wrong[0].partition("=")[0]
        near = nearest_option(key, ["decode"]) if "." not in key else None
        advice = "for example decode.num_beams=3" if near is None else None
        raise InputError(f"{wrong[0]} is not a photo", takes=may, taker="here you can change", near=near, advice=advice)
    return [Path(word) for word in words if word not in changes], changes


def load_model(model: str, changes: list[str]) -> Any:
    """The model with the changes, on this machine's device. Wrong changes raise here, before a photo is opened."""
    from showtell.loading import PLACES, load, steer
    from showtell.plumbing.device import device_of

    captioner = load(model, [item for item in changes if item.partition("=")[0] in PLACES]).to(device_of("auto"))
    steer(captioner, changes)
    return captioner


def is_change(word: str) -> bool:
    return bool(re.match(r"^[a-z_]+(\.[a-z_]+)?=", word)) and not Path(word).exists()


def say(line: str) -> None:
    """A note for the user, beside the results."""
    err.print(printable(line), markup=False, soft_wrap=True)


def report_unreadable(failed: dict[str, Unreadable], total: int) -> None:
    if failed:
        for image_id, error in failed.items():
            err.print(f"not read: {printable(image_id)}: {error.reason}", markup=False, soft_wrap=True)
        err.print(f"{len(failed):,} of {count(total, 'photo')} cannot be read")
        raise typer.Exit(SOME_UNREADABLE)
