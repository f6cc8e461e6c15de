"""Names of photos -> paths, and why one is none. Folders are listed, not asked photo by photo: on a network disk
100,000 questions take minutes."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from showtell.data.record import Record
from showtell.data.splits import HOLDER, SPELLED, SPLITS
from showtell.plumbing.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
NOT_READ = (".heic", ".heif", ".avif", ".jp2", ".jxl")  # photos all the same: nobody's are passed over in silence
# Where data sets as downloaded have their photos; of those that hold equally many, the first is taken.
PLACES = (
    *("{split}_images", "images/{split}", "{split}/images", "{split}", "{split}_examples"),
    *("{split}2017", "{split}2014", "images/{split}2017", "images/{split}2014"),
    *("images", "Images", "photos", "Flicker8k_Dataset", "Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset"),
    *("flickr30k_images", "flickr30k-images", "flickr30k_images/flickr30k_images", "Images/Images", "."),
)
MISSING = "no such photo"
SEVERAL = "several photos of that name"
SOME = 1000
WAYS: tuple[Callable[[str, str], str], ...] = (  # how a file may name a photo beside its folder
    lambda folder, name: name,
    lambda folder, name: f"{folder}/{name}" if folder else name,
    lambda folder, name: re.split(r"[/\\]", name)[-1],  # another machine's path before it
)


def existing_folder(root: str | Path, key: str = "data.root") -> Path:
    """`root` with `~` resolved, once it is certain to be a folder; `key` is where the user wrote it."""
    root = at_home(root, f"{key}=")
    if not root.exists():
        raise InputError(f"{key}={root}: no such folder")
    if not root.is_dir():
        raise InputError(f"{key}={root}: a file, not a folder; name the folder that holds the photos")
    return root


def at_home(path: str | Path, said: str = "") -> Path:
    """The path with `~` resolved; `said` stands before it in the error about `~nobody`."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{said}{path}: there is no such user") from None


class Listing:
    """What lies in folders, each of which is read once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, str]] = {}

    def find(self, path: str) -> tuple[str, str]:
        """The path as the disk spells it, and an empty reason; or the path as it is, and why it is no photo."""
        folder, _, name = path.rpartition("/")
        names = self._folders.get(folder)
        if names is None:
            names = self._folders[folder] = dict(listed(folder))
        if name not in names:
            spelled = [other for other in _spellings(name) if other in names]
            with_ending = [other for other in spelled if other.lower().endswith(SUFFIXES)]
            if len(with_ending) > 1 and not name.strip().lower().endswith(SUFFIXES):
                return f"{folder}/{name}", SEVERAL  # `1` beside 1.jpg and 1.png: nobody knows which is meant
            name = next(iter(spelled), name)
        return f"{folder}/{name}", names.get(name, MISSING)


def without_ending(name: str) -> str:
    """A photo's name without `.jpg` or the like; other dots belong to the name.

    >>> without_ending("a/22.00.jpg"), without_ending("22.00")
    ('a/22.00', '22.00')
    """
    stem, dot, ending = name.rpartition(".")
    return stem if dot + ending.lower() in (*SUFFIXES, *NOT_READ) and stem.rpartition("/")[2] else name


def listed(folder: str) -> Iterator[tuple[str, str]]:
    """Each name in the folder with why it is no photo; a name in decomposed letters stands there composed too."""
    try:
        with os.scandir(folder or "/") as entries:
            for entry in entries:
                yield entry.name, _why_not(entry)
    except (OSError, ValueError):  # no such folder, or a name that none can have
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
    """How else the disk may have a name: blanks around it, accents composed or not, no ending, other case."""
    bare = name.strip()
    yield bare
    if not bare.isascii():
        yield unicodedata.normalize("NFC", bare)
        yield unicodedata.normalize("NFD", bare)
    if not bare.lower().endswith(SUFFIXES):
        yield from (bare + suffix for suffix in (*SUFFIXES, ".JPG"))
    else:  # `P0.JPG` for `p0.jpg`, as disks that do not tell them apart allow
        stem, dot, suffix = bare.rpartition(".")
        yield from (stem + dot + suffix.lower(), stem + dot + suffix.upper(), bare.lower(), bare.upper())


def locate(
    root: Path, names: Sequence[tuple[str, str]], split: str | None, places: Iterable[str], listing: Listing
) -> list[tuple[str, str]]:
    """(path, why it is no photo) of each (folder, name): all below the one place, named in the one way, of the most.

    Mixing places would take another split's `1.jpg` for one that is missing here. Some names are enough to choose by.
    """
    candidates = [(place, way) for place in _existing(root, places, split) for way in WAYS]
    for some in (names[:: len(names) // SOME + 1], names):
        counts = [_count(some, place, way, listing) for place, way in candidates]
        if any(counts):
            place, way = candidates[counts.index(max(counts))]
            return [listing.find(_below(place, way(folder, name))) for folder, name in names]
    return []


def _count(names: Sequence[tuple[str, str]], place: str, way: Callable[[str, str], str], listing: Listing) -> int:
    """How many different photos the names are there."""
    written = {way(folder, name) for folder, name in names}
    if len(written) < len(set(names)):  # cut to their last part, two photos would be one
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
    """The photos in the records' folders that no record names: nobody captioned them, or they were left out."""
    used = {record.path for record in records}
    folders = {path.parent for path in used}
    found = [Path(folder, name) for folder in folders for name, reason in listed(str(folder)) if not reason]
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and path not in used)
