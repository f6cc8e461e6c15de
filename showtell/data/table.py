"""Text with a delimiter -> cells, and which columns hold photos, captions and splits.

People's CSV files are unlike each other: with a header or not, with commas inside of captions that nobody quoted, with
a quote that never ends. All of those are read; what remains unclear is left out by row.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from showtell.data.clean import Row
from showtell.data.photos import SUFFIXES
from showtell.data.quotes import Line, read_rows
from showtell.data.splits import SPLITS
from showtell.data.text import read_text
from showtell.plumbing.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
PHOTO = ("filename", "file_name", "image_name", "image_path", "image", "img", "photo", "path", "filepath", "file")
PHOTO_ELSE = ("image_id", "name", "id")  # where no other column names the photo
CAPTION = ("caption", "captions", "text", "comment", "sentence", "sentences", "description", "raw")
SPLIT = ("split", "set", "partition", "subset")
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
BEGINS = re.compile(r"\s*\[\s*[\"']")  # a list of texts
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
LISTED = re.compile(rf"\[(?:[\s,]*(?:{STRING}))+[\s,]*\]", re.DOTALL)  # Python's ['a', 'b'], numpy's ['a' 'b']
WORDS, SOME = 3, 1000  # words that make a cell a caption, rows that are looked at, where no first line names columns


class Columns(NamedTuple):
    """What a user named; None if it is to be found."""

    photo: str | None = None
    caption: str | None = None
    split: str | None = None
    delimiter: str | None = None


class _Found(NamedTuple):
    photo: int
    captions: list[int]
    split: int | None
    width: int  # cells in a row
    header: bool


def read_table(
    path: Path, columns: Columns | None = None, split: str | None = None, alone: bool | None = None
) -> tuple[list[Row], str]:
    """The rows, and a note about the encoding or that the file is empty.

    Raises InputError if there is no column of photos or of captions, and for an empty file that is the set's only
    one: without `alone` that is one of no split.
    """
    columns = columns or Columns()
    text, note = read_text(path)
    delimiter = columns.delimiter or _sniff(text)
    lines = read_rows(text, delimiter)
    if not lines:
        if split is None if alone is None else alone:
            raise InputError(f"{path.name}: empty; it takes a row for each caption, such as `image.jpg,A dog runs.`")
        return [], f"{path.name} is empty"
    found = _find_columns(path, lines, columns)
    rows = [
        _row(cells, found, delimiter, split, f"{path.name} line {number}")
        for number, cells in lines[1 if found.header else 0 :]
    ]
    return rows, note


def _row(cells: list[str], found: _Found, delimiter: str, split: str | None, where: str) -> Row:
    last = found.captions[-1]
    if len(cells) > found.width and last == found.width - 1:  # commas that nobody quoted
        cells = [*cells[:last], delimiter.join(cells[last:])]
    captions = [caption for index in found.captions for caption in _texts(cells[index : index + 1])]
    photo = cells[found.photo] if found.photo < len(cells) else None
    if photo is not None and delimiter == "|":  # Flickr30k's `1000092795.jpg| 0| Two young guys`
        photo = photo.strip()
    if found.split is not None:
        split = cells[found.split] if found.split < len(cells) else ""
    if len(found.captions) > 1:  # an image with fewer captions than the table has columns
        captions = [caption for caption in captions if caption] or captions[:1]
    return Row(photo, photo, captions or [None], split, where)


def _texts(cells: list[str]) -> Iterable[object]:
    """A cell's captions: several where it is a list of texts, as JSON or Python write it."""
    for cell in cells:
        if BEGINS.match(cell):
            try:
                listed = json.loads(cell)
            except (ValueError, RecursionError):
                listed = _strings(cell.strip())
            if isinstance(listed, list):
                return listed
    return cells


def _strings(cell: str) -> list[str] | None:
    r"""The texts of a list as Python prints it; None if it is none.

    >>> _strings("['A dog.', \"It's a cat.\"]"), _strings("['A dog.'\n 'A cat.']"), _strings("['A] dog")
    (['A dog.', "It's a cat."], ['A dog.', 'A cat.'], None)
    """
    if not LISTED.fullmatch(cell):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's about escapes such as \d
            return [ast.literal_eval(text) for text in re.findall(STRING, cell, re.DOTALL)]
    except (ValueError, SyntaxError, MemoryError):
        return None


def _sniff(text: str) -> str:
    """The delimiter by which the first line names a known column, or else a photo, or else has most cells."""
    first = next((line for line in text[:100_000].splitlines() if line.strip()), "")
    known = {*PHOTO, *PHOTO_ELSE, *CAPTION}

    def says(delimiter: str) -> tuple[int, int, int]:
        cells = [cell.strip().strip('"').lower() for cell in first.split(delimiter)]
        return (sum(cell in known for cell in cells) if len(cells) > 1 else 0, _photo_like(cells), len(cells))

    return max(DELIMITERS, key=says)


def _photo_like(cells: Iterable[str]) -> bool:
    return any(cell.strip().lower().endswith(SUFFIXES) for cell in cells)


def _find_columns(path: Path, lines: list[Line], columns: Columns) -> _Found:
    header = [cell.strip().lower() for cell in lines[0][1]]
    photo = _index(path, header, columns.photo, PHOTO, "photo_column")
    if photo is None:
        photo = _index(path, header, None, PHOTO_ELSE, "photo_column")
    captions = _caption_columns(path, header, columns.caption)
    if photo is not None and captions:
        return _Found(photo, captions, _index(path, header, columns.split, SPLIT, "split_column"), len(header), True)
    names = ", ".join(cell.strip() for cell in lines[0][1])
    if not _photo_like(lines[0][1]) or len(header) < 2 or any(columns[:3]):
        raise InputError(
            f"{path.name}: no column of photos or none of captions in its first line ({names[:200]}); "
            f"known are {', '.join(PHOTO)} and {', '.join(CAPTION)}; name yours in that line"
        )
    photo = next(index for index, cell in enumerate(lines[0][1]) if _photo_like([cell]))
    return _Found(photo, _worded(lines, photo), None, len(header), False)


def _worded(lines: list[Line], photo: int) -> list[int]:
    """The columns of captions: those of several words and the last, unless that one holds splits or numbers.

    The last alone where rows differ in length by commas that nobody quoted.
    """
    some = [cells for _, cells in lines[:SOME]]
    width = len(some[0])
    last = width - 1 if photo < width - 1 else 0
    alike = [cells for cells in some if len(cells) == width]
    if 10 * len(alike) < 9 * len(some):
        return [last]
    others = [n for n in range(width) if n != photo]
    texts = [n for n in others if 2 * sum(_is_mark(cells[n]) for cells in alike) <= len(alike)]
    worded = {n for n in texts if 2 * sum(len(cells[n].split()) >= WORDS for cells in alike) >= len(alike)}
    if last in texts:  # of one word perhaps: Chinese has no blanks
        worded.add(last)
    return sorted(worded) or texts[-1:] or [last]


def _is_mark(cell: str) -> bool:
    """Whether it says a split or a number, so no caption."""
    return cell.strip().lower() in SPLITS or bool(NUMBER.fullmatch(cell.strip()))


def _index(path: Path, header: list[str], given: str | None, known: Iterable[str], option: str) -> int | None:
    if given is None:
        return next((header.index(name) for name in known if name in header), None)
    if given.strip().lower() not in header:
        raise InputError(f"{path.name}: data.{option}={given} is not one of its columns: {', '.join(header)[:200]}")
    return header.index(given.strip().lower())


def _caption_columns(path: Path, header: list[str], given: str | None) -> list[int]:
    """One, or all of caption_1, caption_2 ..; `comment_number` is none of them."""
    if given is not None:
        index = _index(path, header, given, (), "caption_column")
        return [] if index is None else [index]
    for name in CAPTION:
        found = [index for index, cell in enumerate(header) if re.fullmatch(rf"{name}[ _-]?\d*", cell)]
        if found:
            return found
    return []
