"""A file, words with commas, or the names of folders -> the labels that photos may get.

Forms of a file: JSON `{"0": "bicycle"}` (ids), `{"bicycle": 0}`, `["bicycle"]`, or `{"bicycle": ["own text", ..]}`
(texts instead of prompts, as CuPL has them, arXiv:2209.03320); a text with one name a line, or one `0: bicycle`; a CSV
of names, or of ids and names. Ids are whole numbers without gaps; the labels stand in the ids' order.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from showtell.data.text import read_text
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.reading import parse_json

FORMS = "a file (.json, .txt, .csv), names with commas such as cat,dog, or the word folders"
FOLDERS = "folders"
ENDINGS = (".json", ".txt", ".csv", ".tsv")
HEADERS = ("label", "labels", "name", "names", "class", "classes", "category")
IDS = ("id", "ids", "label_id", "class_id", "index", "number")
NUMBERED = re.compile(r"\s*(\d+)\s*[\t:,]\s*(.*)")  # `0: cat`; but `2 cats`, with a blank, may be a name
SHOWN = 5  # names that an error lists


class Labels(NamedTuple):
    """`names` are what prompts are filled with. `ids`, if the file has them, are what a CSV says instead."""

    names: tuple[str, ...]
    ids: tuple[str, ...] | None = None
    texts: tuple[tuple[str, ...], ...] | None = None  # each label's own texts, instead of prompts

    @property
    def keys(self) -> tuple[str, ...]:
        """What stands in a CSV: the id if there are ids, else the name."""
        return self.ids or self.names


def read_labels(given: str | Path | Sequence[str] | Mapping[Any, Any], photos: Iterable[Path] = ()) -> Labels:
    """`photos` are needed for `folders` only. Raises InputError for gaps, duplicates and empty names, and says which.

    >>> read_labels("cat, dog").names
    ('cat', 'dog')
    >>> read_labels({"1": "dog", "0": "cat"})
    Labels(names=('cat', 'dog'), ids=('0', '1'), texts=None)
    """
    if isinstance(given, Mapping):
        return _of_pairs(list(given.items()), "labels")
    if isinstance(given, Path):
        given = str(given)
    if not isinstance(given, str):
        return _of_names(list(given), "labels")
    if given == FOLDERS and not Path(given).exists():
        return _of_names(sorted({spoken(path.absolute().parent.name) for path in photos}), "--labels folders")
    path = at_home(given, "--labels ")
    if path.is_file():
        return _read_file(path)
    if path.is_dir():
        advice = "to use the names of folders as labels, write --labels folders"
        raise InputError("is a folder", key="--labels", value=given, takes=FORMS, advice=advice)
    if "," in given and not given.lower().endswith(ENDINGS):
        return _of_names(given.split(","), "--labels")
    raise InputError(f"{given!r} is no file", key="--labels", value=given, takes=FORMS)


def spoken(name: str) -> str:
    """
    >>> spoken("tennis_court")
    'tennis court'
    """
    return " ".join(name.replace("_", " ").replace("-", " ").split())


def _read_file(path: Path) -> Labels:
    text, _ = read_text(path)
    if path.suffix.lower() == ".json":
        return _of_json(path, text)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _of_table(path, text)
    lines = text.strip("\r\n").splitlines()
    numbered = [NUMBERED.fullmatch(line) for line in lines]
    if lines and all(numbered):
        return _of_pairs([(found[1], found[2]) for found in numbered if found], path.name)
    return _of_names(lines, path.name)


def _of_json(path: Path, text: str) -> Labels:
    try:
        content = parse_json(text, _Pairs)
    except ValueError as error:
        raise InputError(f"{path.name}: not JSON ({error})") from None
    if isinstance(content, _Pairs):
        return _of_pairs(list(content), path.name)
    if isinstance(content, list):
        return _of_names(content, path.name)
    raise InputError(f"{path.name} holds no labels", takes='{"0": "cat", "1": "dog"} or ["cat", "dog"]')


class _Pairs(list[Any]):
    """A JSON object as it was written: a dict would lose a key that stands there twice."""


def _of_table(path: Path, text: str) -> Labels:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    header = [cell.lower() for cell in rows[0]] if rows else []
    named = [column for column, cell in enumerate(header) if cell in HEADERS]
    counted = [column for column, cell in enumerate(header) if cell in IDS]
    if named or counted:
        rows = rows[1:]
    width = max((len(row) for row in rows), default=0)
    if width > 2 and not named:
        raise InputError(f"{path.name} has {width} columns", takes="one column of names, or ids and names")
    rows = [row + [""] * (width - len(row)) for row in rows]
    if width == 1:
        return _of_names([row[0] for row in rows], path.name)
    names = named[0] if named else _other_than(_ids_column(rows))
    ids = counted[0] if counted else None if named and width > 2 else _other_than(names)
    if ids is None:
        return _of_names([row[names] for row in rows], path.name)
    return _of_pairs([(row[ids], row[names]) for row in rows], path.name)


def _ids_column(rows: Sequence[Sequence[str]]) -> int:
    return 1 if all(row[1].isdecimal() for row in rows) else 0


def _other_than(column: int) -> int:
    return 1 - column if column < 2 else 0


def _of_names(names: Sequence[Any], where: str) -> Labels:
    return Labels(_checked(names, where))


def _of_pairs(pairs: Sequence[tuple[Any, Any]], where: str) -> Labels:
    if pairs and all(isinstance(value, list | tuple) for _, value in pairs):
        return _of_texts(pairs, where)
    if not all(_is_number(key) for key, _ in pairs) and all(_is_number(value) for _, value in pairs):
        pairs = [(value, key) for key, value in pairs]  # {"cat": 0}
    if wrong := [key for key, _ in pairs if not _is_number(key)]:
        raise InputError(f"{where}: {wrong[0]!r} is no id", takes="whole numbers such as 0, 1, 2 as ids")
    numbers = [int(key) for key, _ in pairs]
    if twice := _twice(numbers):
        raise InputError(f"{where}: {_listed('id', twice)} more than once; give each label its own id")
    if gaps := sorted(set(range(min(numbers, default=0), max(numbers, default=0))) - set(numbers))[: SHOWN + 1]:
        raise InputError(f"{where}: {_listed('id', gaps)} missing; ids take every number from the first to the last")
    ordered = sorted(pairs, key=lambda pair: int(pair[0]))
    names = _checked([name for _, name in ordered], where)
    return Labels(names, tuple(str(key).strip() for key, _ in ordered))


def _of_texts(pairs: Sequence[tuple[Any, Any]], where: str) -> Labels:
    names = _checked([name for name, _ in pairs], where)
    for name, texts in pairs:
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise InputError(f"{where}: {name!r} has no text, or an empty one", takes="a list of texts for each label")
    return Labels(names, None, tuple(tuple(texts) for _, texts in pairs))


def _checked(names: Sequence[Any], where: str) -> tuple[str, ...]:
    """Trimmed names, two or more, none empty and none twice (letters of any case count as the same)."""
    for place, name in enumerate(names, start=1):
        if not isinstance(name, str):
            raise InputError(f"{where}: label {place} is {name!r}", takes="texts as names of labels")
        if not name.strip():
            raise InputError(f"{where}: label {place} of {len(names)} is empty; give it a name, or remove it")
    trimmed = [name.strip() for name in names]
    if twice := _twice([name.casefold() for name in trimmed]):
        shown = [name for name in trimmed if name.casefold() in twice]
        raise InputError(f"{where}: {_listed('label', dict.fromkeys(shown))} more than once; remove the copies")
    if len(trimmed) < 2:
        raise InputError(f"{where}: {len(trimmed)} label{'s' * (len(trimmed) == 0)}", takes="two or more")
    return tuple(trimmed)


def _twice(values: Sequence[Any]) -> list[Any]:
    return [value for place, value in enumerate(values) if value in values[:place]]


def _is_number(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal()


def _listed(what: str, values: Iterable[Any]) -> str:
    """
    >>> _listed("id", [3, 5])
    'ids 3, 5 are'
    """
    all_of_them = [str(value) for value in values]
    shown = ", ".join(all_of_them[:SHOWN]) + (" and more" if len(all_of_them) > SHOWN else "")
    return f"{what} {shown} is" if len(all_of_them) == 1 else f"{what}s {shown} are"
