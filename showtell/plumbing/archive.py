"""The files that a course asks for -> one zip, or a list of what is missing."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import whole


def pack(target: Path, wanted: Mapping[str, str], folder: Path = Path(), also: Sequence[str] = ()) -> list[str]:
    """Write `target` with all files that the patterns find in `folder`; returns their names.

    `wanted` are patterns, each with the reason that a student reads if nothing fits it; `also` are more complaints.
    Raises InputError with all complaints, and writes nothing then.
    """
    names: list[str] = []
    missing = list(also)
    for pattern, reason in wanted.items():
        found = sorted(path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts)
        if not found:
            missing.append(f"{pattern} is missing ({reason})")
        names += [path.relative_to(folder).as_posix() for path in found]
    if missing:
        raise InputError("not packed:", details=missing)
    with whole(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in dict.fromkeys(names):
            archive.write(folder / name, name)
    return list(dict.fromkeys(names))
