"""Findings -> lines for a terminal of any width. Long lists are cut and point to `--out report.json`."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from showtell.doctor.examine import Diagnosis
from showtell.doctor.findings import Part, findings, to_do

SHOWN, FEW = 8, 2  # names shown of a list with reasons, and of a list without
NAME, REASON = 48, 60  # characters of a name and of its reason
INDENT = "  "


def lines(diagnosis: Diagnosis, width: int = 80) -> Iterator[str]:
    """The whole report; no line is wider than `width` columns."""
    for part in findings(diagnosis):
        yield part.title.upper()
        yield from _part(part, width)
        yield ""
    yield "TO DO"
    for number, text in enumerate(to_do(diagnosis), start=1):
        yield from _wrapped(text, width, f"{INDENT}{number}. ")
    if not to_do(diagnosis):
        yield f"{INDENT}nothing to fix"


def _part(part: Part, width: int) -> Iterator[str]:
    for finding in part.findings:
        yield from _wrapped(finding.text, width, INDENT)
        if finding.advice:
            yield from _wrapped(finding.advice, width, f"{INDENT}  -> ")
    if not part.findings:
        yield f"{INDENT}none"
    yield from _table(part.table, width)
    for title, names in part.names:
        if not any(about for _, about in names):
            yield _cut(f"{INDENT}{title}: {_first(names)}", width)
        else:
            yield f"{INDENT}{title}:"
            yield from _list(names, width)


def _wrapped(text: str, width: int, first: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, max(width, 40), initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False
    )


def _first(names: Sequence[tuple[str, str]]) -> str:
    """The first two names, for one line: `a.jpg, b.jpg and 3 more`."""
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return ", ".join(_cut(name, NAME) for name, _ in names[:FEW]) + more


def _list(names: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    inner = max(width, 40) - 2 * len(INDENT)
    shown = names[:SHOWN]
    column = min(max((cell_len(name) for name, _ in shown), default=0), NAME, inner)
    for name, about in shown:
        room = column if about and cell_len(name) <= column else inner
        line = _cut(name, room).ljust(column) + (INDENT + about if about else "")
        yield 2 * INDENT + _cut(line.rstrip(), inner)
    if len(names) > SHOWN:
        yield f"{2 * INDENT}and {len(names) - SHOWN:,} more (--out report.json lists all)"


def _cut(text: str, room: int) -> str:
    """The text, shortened to `room` terminal columns. A Chinese character takes two."""
    if cell_len(text) <= room:
        return text
    while cell_len(text) > room - 3:
        text = text[: min(len(text) - 1, room - 3)]
    return text + "..."


def _table(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """The first column is left-aligned, the numbers are right-aligned."""
    columns = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(columns[0]), *(c.rjust(w) for c, w in zip(row[1:], columns[1:], strict=True))]
        yield _cut(INDENT + "  ".join(cells).rstrip(), width)
