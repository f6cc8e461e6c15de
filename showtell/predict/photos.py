"""Photos and folders of photos, as people name them -> paths by image_id."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from showtell.data.folder import bare
from showtell.plumbing.errors import InputError


def find_photos(paths: Sequence[Path]) -> dict[str, Path]:
    """Photos and folders of photos -> paths by image_id: a photo's name, or its path within its folder.

    Where two share a name, both are called by their paths. A link that leads nowhere, and a folder without photos
    beside other paths (`x.jpg` among a shell's `*.jpg`), are taken along: who reads them says why they are no photos.
    Raises InputError for a path that does not exist.
    """
    if not paths:
        raise InputError("no photo is given; name photos or folders of photos")
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            found += _in_folder(path, alone=len(paths) == 1)
        elif path.exists() or path.is_symlink():
            found.append((path.name, path))
        else:
            raise InputError(f"{path} does not exist; name photos or folders of photos")
    found = list(dict.fromkeys(found))
    times = Counter(image_id for image_id, _ in found)
    named = {image_id if times[image_id] == 1 else path.as_posix(): path for image_id, path in found}
    return named if len(named) == len(found) else {path.as_posix(): path for _, path in found}


def _in_folder(folder: Path, alone: bool) -> list[tuple[str, Path]]:
    try:
        return [(record.image_id, record.path) for record in bare(root=folder)]
    except InputError:
        if alone:
            raise
        return [(folder.name or str(folder), folder)]
