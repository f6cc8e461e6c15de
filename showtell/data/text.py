"""A file of captions -> text, whatever wrote it: UTF-8 with or without a mark, UTF-16 or -32 by its mark, or else
Windows-1252, of which every byte means something. The note says so where it was not UTF-8."""

import codecs
import json
from pathlib import Path
from typing import Any

from showtell.errors import InputError

MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark its own begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path) -> tuple[str, str]:
    """The text without its mark, and a note for people, which is empty for UTF-8."""
    if not path.is_file():  # a pipe too: reading it would wait for ever
        raise InputError(f"{path}: no such file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    try:
        text, encoding = content.decode(marked or "utf-8").removeprefix("\ufeff"), marked or "utf-8"
    except UnicodeDecodeError:
        text, encoding = _by_bytes(content)
    return text, "" if encoding == "utf-8" else f"{path.name} read as {encoding}"


def _by_bytes(content: bytes) -> tuple[str, str]:
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


def read_json(path: Path) -> tuple[Any, str]:
    """What a JSON file holds, and the note about its encoding."""
    text, note = read_text(path)
    try:
        return json.loads(text), note
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not JSON ({error})") from error
