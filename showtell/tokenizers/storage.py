"""A tokenizer's file: written whole or not at all; what cannot be read is told by name and reason."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from showtell.errors import InputError


def write(path: Path, content: bytes) -> None:
    """Write beside `path`, then move into place: a reader, or a kill, never finds half a file."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}; what stood there is untouched") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """One word a line, so that two vocabularies can be compared by eye."""
    write(path, json.dumps(content, ensure_ascii=False, indent=0).encode())


def read(path: Path) -> bytes:
    """The file of a run, which has one."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: {path.parent} is no trained run") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def parse_json(path: Path, content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, reason: Exception | str) -> InputError:
    """An exception is told with its kind: a KeyError's own words are the key alone."""
    return InputError(f"{path} is damaged: {reason if isinstance(reason, str) else repr(reason)}")
