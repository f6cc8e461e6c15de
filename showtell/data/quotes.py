"""CSV text -> rows, even if a quote is never closed, or closed by a quote of a later row.

In the two lines `a.jpg,"A dog` and `b.jpg,A cat`, the quote is never closed. Python's reader returns one row, whose
caption contains `b.jpg,A cat`. This file returns two rows. A correct cell of several lines stays one cell.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from showtell.data.photos import SUFFIXES

ENDINGS = "|".join(map(re.escape, SUFFIXES))
NAMED = re.compile(rf"(?:{ENDINGS})(?:#\d+)?$", re.IGNORECASE)  # `a.jpg`, or `a.jpg#0` for its first caption
FEW = 20  # lines: after an open quote, so few are parsed again; of more, each line is a row (else time is quadratic)
HUGE = 2**31 - 1

Line = tuple[int, list[str]]  # line number (from 1), cells


def read_rows(text: str, delimiter: str) -> list[Line]:
    """All rows that are not empty, with the number of their last line."""
    limit = csv.field_size_limit(HUGE)  # an enormous cell must not stop the file; `clean` skips it
    try:
        lines = list(io.StringIO(text.replace("\0", " "), newline=None))
        return [(n, cells) for n, cells in _cells(lines, delimiter) if any(cell.strip() for cell in cells)]
    finally:
        csv.field_size_limit(limit)


def _cells(lines: list[str], delimiter: str) -> Iterator[Line]:
    """The rows. If a row has an open quote (see `_is_open`), it ends with its first line."""
    start = 0
    while start < len(lines):
        reader = _reader((lines[n] for n in range(start, len(lines))), delimiter)
        end = start
        for cells in reader:
            begin, end = end, start + reader.line_num
            if end - begin > 1 and _is_open(lines[begin:end], delimiter, end == len(lines)):
                end = begin + 1 if end - begin <= FEW else end - 1  # the last line may begin a cell of several lines
                yield from ((n + 1, _readings(lines[n], delimiter)[0]) for n in range(begin, end))
                break
            yield end, cells
        start = end


def _is_open(lines: list[str], delimiter: str, at_end: bool) -> bool:
    """Whether a row of several lines has an open quote: one that is never closed, or that a later row closes.

    The sign of it is a line that is a row itself, such as `b.jpg,A cat` in a caption. If all quotes are well formed,
    only the last line counts: the lines before it may belong to a caption that lists file names.
    """
    if at_end and len(list(_reader([*lines, '"\n'], delimiter))) == 1:  # one more quote still fits: it was open
        return True
    sound = _is_sound(lines, delimiter)
    width, photo = _opening(lines[0], delimiter)
    if photo is None and (sound or width < 2):  # without a name like `b.jpg`, nothing shows where rows begin
        return False
    later = [line for line in lines[1:] if line.strip()]
    return any(
        _is_row(cells, width, photo)
        for line in (later[-1:] if sound else later)
        for cells in _readings(line, delimiter)
    )


def _opening(line: str, delimiter: str) -> tuple[int, int | None]:
    """(number of cells, index of the cell with a photo's name or None) of a line whose last cell has an open quote."""
    quoted, plain = _readings(line, delimiter)
    before = next((n for n, cell in enumerate(quoted[:-1]) if _is_name(cell)), None)
    within = next((n for n, cell in enumerate(plain) if n and _is_name(cell)), None)  # the caption may come first
    return (len(plain), within) if before is None and within is not None else (len(quoted), before)


def _is_sound(lines: list[str], delimiter: str) -> bool:
    """Whether the quotes are well formed: each is closed right before a delimiter or the end of a line."""
    try:
        list(_reader(lines, delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _readings(line: str, delimiter: str) -> tuple[list[str], list[str]]:
    """The cells of one line, once with quotes obeyed and once with quotes ignored."""
    return next(_reader([line], delimiter)), line.rstrip("\n").split(delimiter)


def _is_name(cell: str) -> bool:
    return bool(NAMED.search(cell.strip().strip('"')))


def _is_row(cells: list[str], width: int, photo: int | None) -> bool:
    """Whether the cells are a row with its photo in that column, and not a sentence that was split at its commas.

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
