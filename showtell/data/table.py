"""CSV text -> rows; detects the delimiter and the columns of photos, captions and splits.

CSV files differ: some have no header, some have captions with commas but no quotes, some have a quote that never ends.
All of these are read. A row that stays unclear is skipped.
"""

import ast
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
from showtell.plumbing.console import of_cell
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import parse_json

DELIMITERS = (",", "\t", ";", "|")
PHOTO = ("filename", "file_name", "image_name", "image_path", "image", "img", "photo", "path", "filepath", "file")
PHOTO_ELSE = ("image_id", "name", "id")  # used only if there is no column of PHOTO
CAPTION = ("caption", "captions", "text", "comment", "sentence", "sentences", "description", "raw")
SPLIT = ("split", "set", "partition", "subset")
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
BEGINS = re.compile(r"\s*\[\s*[\"']")  # the start of a list of texts
STRING = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
LISTED = re.compile(rf"\[(?:[\s,]*(?:{STRING}))+[\s,]*\]", re.DOTALL)  # Python's ['a', 'b'], numpy's ['a' 'b']
WORDS, SOME = 3, 1000  # without a header: a cell of 3 words looks like a caption; the first 1,000 rows decide


class Columns(NamedTuple):
    """The column names and delimiter that the user gave; None means detect."""

    photo: str | None = None
    caption: str | None = None
    split: str | None = None
    delimiter: str | None = None


class _Layout(NamedTuple):
    photo: int
    captions: list[int]
    split: int | None
    width: int  # cells in a row
    header: bool


def read_table(
    path: Path, columns: Columns | None = None, split: str | None = None, only_file: bool | None = None
) -> tuple[list[Row], str]:
    """(rows, note). The note names an unusual encoding, or says that the file is empty.

    Raises InputError if there is no column of photos or no column of captions. An empty file is also an error if it is
    the only file of the set: if `only_file` is true or, without `only_file`, if the file has no split.
    """
    columns = columns or Columns()
    text, note = read_text(path)
    delimiter = columns.delimiter or _sniff(text)
    lines = read_rows(text, delimiter)
    if not lines:
        if split is None if only_file is None else only_file:
            raise InputError(f"{path.name}: the file is empty; write one row per caption: `image.jpg,A dog runs.`")
        return [], f"{path.name} is empty"
    layout = _find_columns(path, lines, columns)
    rows = [
        _row(cells, layout, delimiter, split, f"{path.name} line {number}")
        for number, cells in lines[1 if layout.header else 0 :]
    ]
    return rows, note


def _row(cells: list[str], layout: _Layout, delimiter: str, split: str | None, where: str) -> Row:
    cells = [of_cell(each) for each in cells]
    last = layout.captions[-1]
    if len(cells) > layout.width and last == layout.width - 1:  # the caption has commas, but no quotes: join it again
        cells = [*cells[:last], delimiter.join(cells[last:])]
    captions = [caption for index in layout.captions for caption in _texts(cells[index : index + 1])]
    photo = cells[layout.photo] if layout.photo < len(cells) else None
    if photo is not None and delimiter == "|":  # Flickr30k's `1000092795.jpg| 0| Two young guys`
        photo = photo.strip()
    if layout.split is not None:
        split = cells[layout.split] if layout.split < len(cells) else ""
    if len(layout.captions) > 1:  # drop empty cells: an image may have fewer captions than there are columns
        captions = [caption for caption in captions if caption] or captions[:1]
    return Row(photo, photo, captions or [None], split, where)


def _texts(cells: list[str]) -> Iterable[object]:
    """The captions of a cell: several if it is a list, as in JSON or Python: `["A dog.", "A cat."]`."""
    for cell in cells:
        if BEGINS.match(cell):
            try:
                listed = parse_json(cell, mend=False)
            except ValueError:
                listed = _strings(cell.strip())
            if isinstance(listed, list):
                return listed
    return cells


def _strings(cell: str) -> list[str] | None:
    r"""The texts of a list as Python or numpy print it; None if the cell is not such a list.

    >>> _strings("['A dog.', \"It's a cat.\"]"), _strings("['A dog.'\n 'A cat.']"), _strings("['A] dog")
    (['A dog.', "It's a cat."], ['A dog.', 'A cat.'], None)
    """
    if not LISTED.fullmatch(cell):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns about escapes such as \d
            return [ast.literal_eval(text) for text in re.findall(STRING, cell, re.DOTALL)]
    except (ValueError, SyntaxError, MemoryError):
        return None


def _sniff(text: str) -> str:
    """The best delimiter for the first line: it gives most known column names, or else a photo, or else most cells."""
    first = next((line for line in text[:100_000].splitlines() if line.strip()), "")
    known = {*PHOTO, *PHOTO_ELSE, *CAPTION}

    def says(delimiter: str) -> tuple[int, int, int]:
        cells = [cell.strip().strip('"').lower() for cell in first.split(delimiter)]
        return (sum(cell in known for cell in cells) if len(cells) > 1 else 0, _photo_like(cells), len(cells))

    return max(DELIMITERS, key=says)


def _photo_like(cells: Iterable[str]) -> bool:
    return any(cell.strip().lower().endswith(SUFFIXES) for cell in cells)


def _find_columns(path: Path, lines: list[Line], columns: Columns) -> _Layout:
    header = [cell.strip().lower() for cell in lines[0][1]]
    photo = _index(path, header, columns.photo, PHOTO, "photo_column")
    if photo is None:
        photo = _index(path, header, None, PHOTO_ELSE, "photo_column")
    captions = _caption_columns(path, header, columns.caption)
    if photo is not None and captions:
        return _Layout(photo, captions, _index(path, header, columns.split, SPLIT, "split_column"), len(header), True)
    names = ", ".join(cell.strip() for cell in lines[0][1])
    if not _photo_like(lines[0][1]) or len(header) < 2 or any(columns[:3]):
        raise InputError(
            f"{path.name}: no column of photos or no column of captions in its first line ({names[:200]}); "
            f"known names are {', '.join(PHOTO)} and {', '.join(CAPTION)}; write yours into that line"
        )
    photo = next(index for index, cell in enumerate(lines[0][1]) if _photo_like([cell]))
    return _Layout(photo, _worded(lines, photo), None, len(header), False)


def _worded(lines: list[Line], photo: int) -> list[int]:
    """The caption columns of a table without header: those with several words, and the last one.

    A column of splits or numbers is never a caption. `a.jpg,A dog runs.,A big dog.,train` has captions in columns 1
    and 2. If rows differ in length, captions have commas without quotes: then only the last column counts.
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
    if last in texts:  # even with one word: Chinese has no blanks
        worded.add(last)
    return sorted(worded) or texts[-1:] or [last]


def _is_mark(cell: str) -> bool:
    """Whether the cell is a split or a number, so not a caption."""
    return cell.strip().lower() in SPLITS or bool(NUMBER.fullmatch(cell.strip()))


def _index(path: Path, header: list[str], given: str | None, known: Iterable[str], option: str) -> int | None:
    if given is None:
        return next((header.index(name) for name in known if name in header), None)
    if given.strip().lower() not in header:
        columns = ", ".join(header)[:200]
        raise InputError(key=f"data.{option}", value=given, takes=columns, taker=f"the columns of {path.name} are")
    return header.index(given.strip().lower())


def _caption_columns(path: Path, header: list[str], given: str | None) -> list[int]:
    """One column, or all of caption_1, caption_2 and so on. `comment_number` is not a caption column."""
    if given is not None:
        index = _index(path, header, given, (), "caption_column")
        return [] if index is None else [index]
    for name in CAPTION:
        indices = [index for index, cell in enumerate(header) if re.fullmatch(rf"{name}[ _-]?\d*", cell)]
        if indices:
            return indices
    return []
