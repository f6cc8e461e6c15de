"""Paths of photos and folders, as a user gives them -> the path of each photo by its image_id."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from showtell.data.folder import bare, others_below
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import NOT_FETCHED, is_link


def find_photos(paths: Sequence[Path], say: Callable[[str], None] = lambda line: None) -> dict[str, Path]:
    """The photos at these paths and in these folders. The image_id is the file name, or the path within its folder.

    If two photos have the same name, both get their whole paths: `a/x.jpg` and `b/x.jpg`. A broken link, or a folder
    without photos among several paths, stays in the result: opening it fails later with the reason, and the other
    photos are captioned. (A shell's `*.jpg` may name such things.) `say` hears what in a folder is no photo.
    Raises InputError if a path does not exist.
    """
    if not paths:
        raise InputError("no photo is given; name photos or folders of photos")
    pairs: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_dir():
            pairs += _in_folder(path, only=len(paths) == 1)
            if others := others_below(path):
                say(f"passed over in {path}: {others}")
        elif path.exists() or path.is_symlink():
            pairs.append((path.name, path))
        elif is_link(path):
            raise InputError("is a link", key=str(path), advice=NOT_FETCHED)
        else:
            raise InputError("does not exist", key=str(path), advice="name photos or folders of photos")
    pairs = list(dict.fromkeys(pairs))
    times = Counter(image_id for image_id, _ in pairs)
    named = {image_id if times[image_id] == 1 else path.as_posix(): path for image_id, path in pairs}
    return named if len(named) == len(pairs) else {path.as_posix(): path for _, path in pairs}


def _in_folder(folder: Path, only: bool) -> list[tuple[str, Path]]:
    """The photos in a folder. If it has none, an error if it is the `only` path, else the folder itself."""
    try:
        return [(record.image_id, record.path) for record in bare(root=folder)]
    except InputError:
        if only:
            raise
        return [(folder.name or str(folder), folder)]
