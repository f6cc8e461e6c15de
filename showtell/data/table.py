"""Text with a delimiter -> cells, and which columns hold photos, captions and splits.

People's CSV files are unlike each other: with a header or not, with commas inside of captions that nobody quoted, with
a quote that never ends. All of those are read; what remains unclear is left out by row.
"""

import ast
import csv
import io
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from showtell.data.clean import Row
from showtell.data.photos import SUFFIXES
from showtell.data.text import read_text
from showtell.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
PHOTO = ("filename", "file_name", "image_name", "image_path", "image", "img", "photo", "path", "filepath", "file")
PHOTO_ELSE = ("image_id", "name", "id")  # where no other column names the photo
CAPTION = ("caption", "captions", "text", "comment", "sentence", "sentences", "description", "raw")
SPLIT = ("split", "set", "partition", "subset")
ENDINGS = "|".join(map(re.escape, SUFFIXES))
SWALLOWED = re.compile(rf'(\n"?[^\s,;|]+(?:{ENDINGS})"?[,;\t|][^\n]*)+\n?', re.IGNORECASE)
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
LISTED = re.compile(rf"\[(?:[\s,]*(?:{STRING}))+[\s,]*\]", re.DOTALL)  # Python's ['a', 'b'], numpy's ['a' 'b']
WORDS, SOME = 3, 1000  # words that make a cell a caption, rows that are looked at, where no first line names columns
FEW = 20  # lines: what an open quote swallowed is read anew; of more each is a row, or it would take for ever
HUGE = 2**31 - 1

Line = tuple[int, list[str]]  # its number, for people, and its cells


class Columns(NamedTuple):
    """What a user named; None where it is to be found."""

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


def read_table(path: Path, columns: Columns | None = None, split: str | None = None) -> tuple[list[Row], str]:
    """The rows, and a note about the encoding or that the file is empty.

    Raises InputError where there is no column of photos or of captions.
    """
    columns = columns or Columns()
    text, note = read_text(path)
    delimiter = columns.delimiter or _sniff(text)
    lines = _parse(text, delimiter)
    if not lines:
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
        if cell.lstrip().startswith(('["', "['")):
            try:
                listed = json.loads(cell)
            except (ValueError, RecursionError):
                listed = _strings(cell.strip())
            if isinstance(listed, list):
                return listed
    return cells


def _strings(cell: str) -> list[str] | None:
    r"""The texts of a list as Python prints it; None where it is none.

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


def _parse(text: str, delimiter: str) -> list[Line]:
    limit = csv.field_size_limit(HUGE)  # an enormous caption is left out by name, not the file refused
    try:
        lines = list(io.StringIO(text.replace("\0", " "), newline=None))
        return [(n, cells) for n, cells in _cells(lines, delimiter) if any(cell.strip() for cell in cells)]
    finally:
        csv.field_size_limit(limit)


def _cells(lines: list[str], delimiter: str) -> Iterator[Line]:
    """The rows. A quote that is not closed as it should be has swallowed rows: then the row ends with its line."""
    start = 0
    while start < len(lines):
        reader = _reader((lines[n] for n in range(start, len(lines))), delimiter)
        end = start
        for cells in reader:
            begin, end = end, start + reader.line_num
            if end - begin > 1 and _is_open(lines[begin:end], cells, delimiter):
                end = begin + 1 if end - begin <= FEW else end
                yield from ((n, next(_reader([lines[n - 1]], delimiter))) for n in range(begin + 1, end + 1))
                break
            yield end, cells
        start = end


def _is_open(lines: list[str], cells: list[str], delimiter: str) -> bool:
    """Whether the quotes of a row of several lines are not closed before a delimiter or the end, or by another row's.

    The latter shows where all that a cell holds after its first line are rows, each with its photo.
    """
    try:
        list(_reader(lines, delimiter, strict=True))
    except csv.Error:
        return True
    return any(SWALLOWED.fullmatch(cell, cell.find("\n")) for cell in cells if "\n" in cell)


def _reader(lines: Iterable[str], delimiter: str, strict: bool = False) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == "|", strict=strict)


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
    captions = _worded(lines, photo)
    last = len(header) - 1
    return _Found(photo, captions or [last if photo != last else 0], None, len(header), False)


def _worded(lines: list[Line], photo: int) -> list[int]:
    """The columns of several words, which are captions; none where rows differ in length by commas nobody quoted."""
    some = [cells for _, cells in lines[:SOME]]
    width = len(some[0])
    alike = [cells for cells in some if len(cells) == width]
    if 10 * len(alike) < 9 * len(some):
        return []
    worded = [sum(len(cells[index].split()) >= WORDS for cells in alike) for index in range(width)]
    return [index for index, count in enumerate(worded) if index != photo and 2 * count >= len(alike)]


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
