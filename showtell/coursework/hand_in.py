"""Files -> a zip for a course, refused with a list of everything that the course would refuse."""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole

Check = Callable[[Path], Iterable[str]]  # the course's folder -> what is wrong in it


def missing(*patterns: str, advice: str = "") -> Check:
    """A check that each pattern, such as `hw3_*.pdf`, names a file. `advice` says what makes it."""
    reason = f": {advice}" if advice else ""
    return lambda folder: (f"{pattern} is missing{reason}" for pattern in patterns if not any(folder.glob(pattern)))


def not_run(pattern: str, advice: str = "run all its cells, then save it") -> Check:
    """A check that every notebook has outputs."""

    def check(folder: Path) -> Iterable[str]:
        for path in sorted(folder.glob(pattern)):
            cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
            if not any(cell["outputs"] for cell in cells):
                yield f"{path.name} has no outputs: {advice}"

    return check


def forbidden(pattern: str, commands: Sequence[str]) -> Check:
    """A check that scripts use none of some commands. Comments count too, because a course searches the text."""
    word = re.compile(rf"(?<![\w./-])({'|'.join(map(re.escape, commands))})(?![\w-])")

    def check(folder: Path) -> Iterable[str]:
        for path in sorted(folder.glob(pattern)):
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                yield from (f"{path.name} line {number} uses {found}" for found in dict.fromkeys(word.findall(line)))

    return check


def pages(pattern: str, most: int) -> Check:
    """A check that no PDF has more pages than so many. It counts the page objects of the file."""
    page = re.compile(rb"/Type\s*/Page(?![s\w])")
    return lambda folder: (
        f"{path.name} has {found} pages, more than {most}"
        for path in sorted(folder.glob(pattern))
        if (found := len(page.findall(path.read_bytes()))) > most
    )


def write_zip(folder: Path, file: Path, patterns: Sequence[str], checks: Sequence[Check]) -> list[str]:
    """Pack the files of `folder` that fit the patterns. Returns their names.

    Raises InputError with all that is wrong. Nothing is written then.
    """
    wrong = list(dict.fromkeys(line for check in checks for line in check(folder)))
    if wrong:
        raise InputError(f"the hand-in is refused, {len(wrong)} to solve:", details=wrong)
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()} - {file}
    paths = sorted(path for path in found if "__pycache__" not in path.parts)
    with whole(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.relative_to(folder))
    return [path.relative_to(folder).as_posix() for path in paths]
