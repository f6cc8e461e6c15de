"""Files of tokenizers: written completely or not at all; if a file cannot be read, the error says which and why."""

import json
from pathlib import Path
from typing import Any

from showtell.plumbing import reading
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole
from showtell.plumbing.reading import read_bytes, why_not


def write(path: Path, content: bytes) -> None:
    with whole(path) as part:
        part.write_bytes(content)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one word per line, so that two vocabularies are easy to compare."""
    write(path, json.dumps(content, ensure_ascii=False, indent=0).encode())


def read(path: Path) -> bytes:
    """Read a file of a run. Raises InputError if it does not exist or cannot be read."""
    if why_not(path) == "does not exist":
        raise InputError(f"{path} does not exist: {path.parent} is no trained run")
    return read_bytes(path)


def parse_json(path: Path, content: bytes) -> Any:
    try:
        return reading.parse_json(content)
    except ValueError as error:
        raise damaged(path, error) from None


def damaged(path: Path, reason: Exception | str) -> InputError:
    """An InputError for the file. Exceptions are shown with their type, because a KeyError's text is only the key."""
    return InputError(f"{path} is damaged: {reason if isinstance(reason, str) else repr(reason)}")
