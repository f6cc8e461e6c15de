"""A bare folder of photos -> records without captions: what is to be captioned, or has its captions elsewhere."""

from pathlib import Path

from showtell.data.record import Record
from showtell.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def folder(*, root: Path) -> list[Record]:
    """All photos below `root`, sorted; hidden files and folders are left out. image_id = path below root."""
    root = existing_folder(root)
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if _is_photo(path, root))
    if not names:
        raise InputError(f"{root}: no photos in it; looked, also in its folders, for {' '.join(SUFFIXES)}")
    return [Record(name, root / name, (), "test") for name in names]


def existing_folder(root: str | Path, key: str = "data.root") -> Path:
    """`root` with `~` resolved, once it is certain to be a folder; `key` is where the user wrote it."""
    root = Path(root).expanduser()
    if not root.exists():
        raise InputError(f"{key}={root}: no such folder")
    if not root.is_dir():
        raise InputError(f"{key}={root}: a file, not a folder; name the folder that holds the photos")
    return root


def _is_photo(path: Path, root: Path) -> bool:
    """By its name alone: a photo that cannot be read is the reader's to report, a broken link too."""
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in SUFFIXES and not hidden and not path.is_dir()
