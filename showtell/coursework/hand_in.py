"""Files -> a zip for a course, refused with a list of everything that the course would refuse.

A student works beside the scripts, or calls them from a folder of their own. `Places` looks in both.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole


class Places:
    """Folders that are searched one after the other. The first that has a file of a pattern has all of them."""

    def __init__(self, *folders: Path) -> None:
        self.folders = list(dict.fromkeys(folder.resolve() for folder in folders))

    def glob(self, pattern: str) -> dict[str, Path]:
        """Name in the zip -> path of each file that fits, in the order of names."""
        for folder in self.folders:
            if paths := sorted(path for path in folder.glob(pattern) if path.is_file()):
                return {path.relative_to(folder).as_posix(): path for path in paths}
        return {}


Check = Callable[[Places], Iterable[str]]  # where the files lie -> what is wrong with them


def missing(*patterns: str, advice: str = "") -> Check:
    """A check that each pattern, such as `hw3_*.pdf`, names a file. `advice` says what makes it."""
    reason = f": {advice}" if advice else ""
    return lambda places: (f"{pattern} is missing{reason}" for pattern in patterns if not places.glob(pattern))


def not_run(pattern: str, advice: str = "run all its cells, then save it") -> Check:
    """A check that every notebook has outputs."""

    def check(places: Places) -> Iterable[str]:
        for path in places.glob(pattern).values():
            cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
            if not any(cell["outputs"] for cell in cells):
                yield f"{path.name} has no outputs: {advice}"

    return check


def forbidden(pattern: str, commands: Sequence[str]) -> Check:
    """A check that scripts use none of some commands. Comments count too, because a course searches the text.

    `/bin/rm` is rm, `runs/rm` is a file. `pip3` is pip, but `python3` is not python, because courses ask for it.
    """
    names = "|".join(map(_with_numbers, commands))
    word = re.compile(rf"(?<![\w./-])(?:(?:/\w+)*/)?({names})(?![\w/-])")

    def check(places: Places) -> Iterable[str]:
        for path in places.glob(pattern).values():
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                yield from (f"{path.name} line {number} uses {found}" for found in dict.fromkeys(word.findall(line)))

    return check


def pages(pattern: str, most: int) -> Check:
    """A check that no PDF has more pages than so many. It counts the page objects of the file."""
    page = re.compile(rb"/Type\s*/Page(?![s\w])")
    return lambda places: (
        f"{path.name} has {found} pages, more than {most}"
        for path in places.glob(pattern).values()
        if (found := len(page.findall(path.read_bytes()))) > most
    )


def _with_numbers(command: str) -> str:
    return re.escape(command) + ("" if command == "python" else r"[\d.]*")


def write_zip(
    places: Places,
    file: Path,
    patterns: Sequence[str],
    checks: Sequence[Check],
    renamed: Mapping[str, str] | None = None,  # a file's name -> its name in the zip
) -> list[str]:
    """Pack the files that fit the patterns. Returns their names in the zip.

    Raises InputError with all that is wrong. Nothing is written then.
    """
    wrong = list(dict.fromkeys(line for check in checks for line in check(places)))
    if wrong:
        raise InputError(f"the hand-in is refused, {len(wrong)} to solve:", details=wrong)
    found = {name: path for pattern in patterns for name, path in places.glob(pattern).items()}
    kept = {name: path for name, path in found.items() if "__pycache__" not in path.parts and path != file.resolve()}
    named = {(renamed or {}).get(name, name): path for name, path in sorted(kept.items())}
    with whole(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in named.items():
            archive.write(path, name)
    return list(named)
