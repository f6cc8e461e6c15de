"""A file of captions -> text, whatever wrote it: UTF-8 with or without a mark, UTF-16 or -32 by its mark. Bytes that
are no UTF-8 are Windows-1252, each by itself: one stray byte costs no other caption its letters. The note says so."""

import codecs
import json
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError

STRAY = "showtell-stray"  # what Python calls `_stray`
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
    if marked in ("utf-16", "utf-32"):
        return content.decode(marked, "replace").removeprefix("\ufeff"), f"{path.name} read as {marked}"
    text = content.decode("utf-8", STRAY).removeprefix("\ufeff")
    if text == content.decode("utf-8", "replace").removeprefix("\ufeff"):
        return text, ""
    mixed = not content.decode("utf-8", "ignore").isascii()
    return text, f"{path.name} read as {'UTF-8 and, where it is none, ' if mixed else ''}Windows-1252"


def _stray(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:  # five bytes mean nothing there
        return wrong.decode("latin-1"), error.end


codecs.register_error(STRAY, _stray)


def read_json(path: Path) -> tuple[Any, str]:
    """What a JSON file holds, and the note about its encoding."""
    text, note = read_text(path)
    try:
        return json.loads(text), note
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("; use sys.")[0]  # Python's advice on numbers of thousands of digits
        raise InputError(f"{path.name}: not JSON ({reason})") from error
