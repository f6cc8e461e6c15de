"""A tokenizer's file: written whole or not at all; what cannot be read is told by name and reason."""

import json
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole


def write(path: Path, content: bytes) -> None:
    with whole(path) as part:
        part.write_bytes(content)


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
