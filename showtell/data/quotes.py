"""Lines -> the rows of a CSV whose quotes may be wrong: one that is never closed, or closed by another row's.

Python's reader would give all that such a quote swallowed as one cell.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from showtell.data.photos import SUFFIXES

ENDINGS = "|".join(map(re.escape, SUFFIXES))
NAMED = re.compile(rf"(?:{ENDINGS})(?:#\d+)?$", re.IGNORECASE)  # `a.jpg`, or `a.jpg#0` for its first caption
FEW = 20  # lines: what an open quote swallowed is read anew; of more each is a row, or it would take for ever
HUGE = 2**31 - 1

Line = tuple[int, list[str]]  # its number, for people, and its cells


def read_rows(text: str, delimiter: str) -> list[Line]:
    """All rows that hold anything, with the number of their last line."""
    limit = csv.field_size_limit(HUGE)  # an enormous caption is left out by name, not the file refused
    try:
        lines = list(io.StringIO(text.replace("\0", " "), newline=None))
        return [(n, cells) for n, cells in _cells(lines, delimiter) if any(cell.strip() for cell in cells)]
    finally:
        csv.field_size_limit(limit)


def _cells(lines: list[str], delimiter: str) -> Iterator[Line]:
    """The rows. Where a quote that is not closed as it should be has swallowed rows, the row ends with its line."""
    start = 0
    while start < len(lines):
        reader = _reader((lines[n] for n in range(start, len(lines))), delimiter)
        end = start
        for cells in reader:
            begin, end = end, start + reader.line_num
            if end - begin > 1 and _is_open(lines[begin:end], delimiter, end == len(lines)):
                end = begin + 1 if end - begin <= FEW else end - 1  # the last may begin a cell of several lines
                yield from ((n + 1, _readings(lines[n], delimiter)[0]) for n in range(begin, end))
                break
            yield end, cells
        start = end


def _is_open(lines: list[str], delimiter: str, at_end: bool) -> bool:
    """Whether the quote that makes a row of several lines is never closed, or closed by another row's.

    Another row's shows by lines that are rows themselves. Where all quotes stand as they should, only the line with the
    closing one can tell: what is before it may be a cell that lists files.
    """
    if at_end and len(list(_reader([*lines, '"\n'], delimiter))) == 1:  # closed only by what stands there no more
        return True
    sound = _is_sound(lines, delimiter)
    width, photo = _opening(lines[0], delimiter)
    if photo is None and (sound or width < 2):  # names without an ending: too little to tell by
        return False
    later = [line for line in lines[1:] if line.strip()]
    return any(
        _is_row(cells, width, photo)
        for line in (later[-1:] if sound else later)
        for cells in _readings(line, delimiter)
    )


def _opening(line: str, delimiter: str) -> tuple[int, int | None]:
    """How many cells a line has, the last of which is open, and which of them names a photo."""
    quoted, plain = _readings(line, delimiter)
    before = next((n for n, cell in enumerate(quoted[:-1]) if _is_name(cell)), None)
    within = next((n for n, cell in enumerate(plain) if n and _is_name(cell)), None)  # where captions come first
    return (len(plain), within) if before is None and within is not None else (len(quoted), before)


def _is_sound(lines: list[str], delimiter: str) -> bool:
    """Whether every quote is closed before a delimiter or a line's end."""
    try:
        list(_reader(lines, delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _readings(line: str, delimiter: str) -> tuple[list[str], list[str]]:
    """The cells of a line by itself: as its quotes have them, and as if quotes meant nothing."""
    return next(_reader([line], delimiter)), line.rstrip("\n").split(delimiter)


def _is_name(cell: str) -> bool:
    return bool(NAMED.search(cell.strip().strip('"')))


def _is_row(cells: list[str], width: int, photo: int | None) -> bool:
    """Whether they are a row's with the photo in that column, not a sentence's between its commas.

    >>> _is_row(["my dog.jpg", "A dog"], 2, 0), _is_row(["It says photo.jpg", " in red"], 2, 0)
    (True, False)
    """
    if len(cells) < width or (photo is not None and not _is_name(cells[photo])):
        return False
    name, *then = cells[photo or 0 :]
    if not then:
        return not name.startswith(" ")
    return not then[0].startswith(" ") or (photo is not None and " " not in name)


def _reader(lines: Iterable[str], delimiter: str, strict: bool = False) -> Any:
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == "|", strict=strict)
