"""Names of photos -> paths, with a reason for each photo that cannot be used.

Each folder is listed once. Asking the disk for each photo would take minutes for 100,000 photos on a network disk.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from showtell.data.kinds import RAW
from showtell.data.record import Record
from showtell.data.splits import HOLDER, SPELLED, SPLITS
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.messages import NOT_FETCHED, is_link

SUFFIXES: tuple[str, ...] = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SUFFIXES += (".avif", ".heic", ".heif")
NOT_READ = (".jp2", ".jxl", *RAW)  # photos that we cannot read, but list, so that users notice
# Usual photo folders of downloaded data sets. If two of them have equally many of the photos, the first one is used.
PLACES = (
    *("{split}_images", "images/{split}", "{split}/images", "{split}", "{split}_examples"),
    *("{split}2017", "{split}2014", "images/{split}2017", "images/{split}2014"),
    *("images", "Images", "photos", "Flicker8k_Dataset", "Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset"),
    *("flickr30k_images", "flickr30k-images", "flickr30k_images/flickr30k_images", "Images/Images", "."),
)
MISSING = "no such photo"
SEVERAL = "several photos of that name"
SOME = 1000
WAYS: tuple[Callable[[str, str], str], ...] = (  # (folder, name) in a captions file -> the photo's path below a place
    lambda folder, name: name,
    lambda folder, name: f"{folder}/{name}" if folder else name,
    lambda folder, name: re.split(r"[/\\]", name)[-1],  # `D:/photos/a.jpg`, a path of another machine, is `a.jpg`
)


def existing_folder(root: str | Path, key: str = "data.root") -> Path:
    """`root` with `~` resolved. Raises InputError if it is not a folder; `key` is the option's name for the message."""
    root = at_home(root, key)
    if not root.exists() and is_link(root):
        raise InputError(f"is {root}, a link", key=key, value=str(root), advice=NOT_FETCHED)
    if not root.exists():
        raise InputError(key=key, value=str(root), takes="a folder that exists")
    if not root.is_dir():
        advice = "name the folder that has the photos"
        raise InputError(key=key, value=str(root), takes="a folder, not a file", advice=advice)
    return root


class Listing:
    """The files of folders; each folder is read from disk once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, str]] = {}

    def find(self, path: str) -> tuple[str, str]:
        """(path as spelled on disk, ""), or (the given path, the reason why it is not a photo)."""
        folder, _, name = path.rpartition("/")
        names = self._folders.get(folder)
        if names is None:
            names = self._folders[folder] = dict(listed(folder))
        if name not in names:
            spelled = [other for other in _spellings(name) if other in names]
            with_ending = [other for other in spelled if other.lower().endswith(SUFFIXES)]
            if len(with_ending) > 1 and not name.strip().lower().endswith(SUFFIXES):
                return f"{folder}/{name}", SEVERAL  # `1` could be 1.jpg or 1.png
            name = next(iter(spelled), name)
        return f"{folder}/{name}", names.get(name, MISSING)


def without_ending(name: str) -> str:
    """A photo's name without its image suffix. Other dots belong to the name.

    >>> without_ending("a/22.00.jpg"), without_ending("22.00")
    ('a/22.00', '22.00')
    """
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in (*SUFFIXES, *NOT_READ) and stem.rpartition("/")[2] else name


def listed(folder: str) -> Iterator[tuple[str, str]]:
    """(name, reason) of each entry of the folder; the reason is empty for files."""
    try:
        with os.scandir(folder or "/") as entries:
            for entry in entries:
                yield entry.name, _why_not(entry)
    except (OSError, ValueError):  # no such folder, or an impossible name
        return


def _why_not(entry: "os.DirEntry[str]") -> str:
    try:
        if entry.is_file():
            return ""
        if entry.is_dir():
            return "a folder, not a photo"
        return "broken link" if entry.is_symlink() else "not an ordinary file"
    except OSError:
        return "broken link"


def _spellings(name: str) -> Iterator[str]:
    """Other spellings that the disk may have: no outer blanks, accents in another Unicode form, a suffix, other case.

    For example, `p0` may be `p0.jpg`, and `P0.JPG` may be `p0.jpg`.
    """
    bare = name.strip()
    yield bare
    if not bare.isascii():
        yield unicodedata.normalize("NFC", bare)
        yield unicodedata.normalize("NFD", bare)
    if not bare.lower().endswith(SUFFIXES):
        yield from (bare + suffix for suffix in (*SUFFIXES, ".JPG"))
    else:  # disks of Windows and macOS accept `P0.JPG` for `p0.jpg`
        stem, dot, suffix = bare.rpartition(".")
        yield from (stem + dot + suffix.lower(), stem + dot + suffix.upper(), bare.lower(), bare.upper())


def locate(
    root: Path, names: Sequence[tuple[str, str]], split: str | None, places: Iterable[str], listing: Listing
) -> list[tuple[str, str]]:
    """(path, reason) of each (folder, name). All use the same place and way: the pair that finds the most photos.

    For example, if `images/` has 990 of 1,000 photos and `.` has 10, all are searched in `images/`. With mixed places,
    a missing `1.jpg` could be taken from another split. About 1,000 names decide; all names if those find nothing.
    """
    candidates = [(place, way) for place in _existing(root, places, split) for way in WAYS]
    for some in (names[:: len(names) // SOME + 1], names):
        counts = [_count(some, place, way, listing) for place, way in candidates]
        if any(counts):
            place, way = candidates[counts.index(max(counts))]
            return [listing.find(_below(place, way(folder, name))) for folder, name in names]
    return []


def _count(names: Sequence[tuple[str, str]], place: str, way: Callable[[str, str], str], listing: Listing) -> int:
    """How many of the named photos exist below `place`."""
    written = {way(folder, name) for folder, name in names}
    if len(written) < len(set(names)):  # this way gives two photos the same path: `a/1.jpg` and `b/1.jpg` -> `1.jpg`
        return 0
    return sum(listing.find(_below(place, name))[1] != MISSING for name in written)


def _below(place: str, name: str) -> str:
    return name if name.startswith("/") else f"{place}/{name}"


def _existing(root: Path, places: Iterable[str], split: str | None) -> Iterator[str]:
    words = SPLITS if split is None else SPELLED[split]
    seen = set()
    for place in places:
        for word in words if HOLDER in place else [""]:
            folder = str(root / place.replace(HOLDER, word))
            if folder not in seen and Path(folder).is_dir():
                yield folder
            seen.add(folder)


def photos_beside(records: Iterable[Record]) -> list[Path]:
    """The photos in the records' folders that no record uses: they have no captions, or were skipped."""
    used = {record.path for record in records}
    folders = {path.parent for path in used}
    photos = [Path(folder, name) for folder in folders for name, reason in listed(str(folder)) if not reason]
    return sorted(path for path in photos if path.suffix.lower() in SUFFIXES and path not in used)
