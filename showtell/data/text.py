"""A text file of unknown encoding -> text, and a note if the encoding is not UTF-8.

A byte order mark decides between UTF-8, UTF-16 and UTF-32; without one, the text is UTF-8. Only the bytes that are not
valid UTF-8 are read as Windows-1252: the byte e9 becomes é, and UTF-8 letters elsewhere in the file stay correct.
"""

import codecs
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import TEXT, parse_json, read_bytes

STRAY = "showtell-stray"  # the name under which Python knows `_stray`
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, because this mark begins with UTF-16's
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_text(path: Path) -> tuple[str, str]:
    """(text without its byte order mark, note for the user). The note is empty for UTF-8."""
    content = read_bytes(path, TEXT)
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    if marked in ("utf-16", "utf-32"):
        return content.decode(marked, "replace").removeprefix("\ufeff"), f"{path.name} read as {marked}"
    text = content.decode("utf-8", STRAY).removeprefix("\ufeff")
    if text == content.decode("utf-8", "replace").removeprefix("\ufeff"):
        return text, ""
    mixed = not content.decode("utf-8", "ignore").isascii()
    return text, f"{path.name} read as {'UTF-8, with invalid bytes as ' if mixed else ''}Windows-1252"


def _stray(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:  # five byte values have no meaning in Windows-1252
        return wrong.decode("latin-1"), error.end


codecs.register_error(STRAY, _stray)


def read_json(path: Path) -> tuple[Any, str]:
    """(content of a JSON file, note about its encoding)."""
    text, note = read_text(path)
    try:
        return parse_json(text, mend=False), note  # `clean` mends what becomes a caption, and not names of photos
    except ValueError as error:
        raise InputError(f"{path.name}: not JSON ({error})") from error
