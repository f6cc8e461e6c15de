"""An HDF5 file, checked before its values are read: HDF5 can show terabytes that no file holds.

A dataset may have values that were never written (HDF5 fills them in), values in other files, and a group may be linked
from many places. Each is refused, or bounded.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import check_file

# Limits for arrays that are larger in memory than in the file, because a tiny file could fill the memory.
MOST_UNSTORED = 1_000_000  # bytes; a smaller array is always allowed
MOST_COMPRESSED = 1_100  # the largest ratio of memory to file; deflate reaches at most 1,032
LARGEST_COMPRESSED = 2**28  # bytes in memory
MOST_LEVELS, MOST_VISITS = 32, 8  # groups above a dataset; ways to one group


def h5py() -> Any:
    """The package h5py. Raises InputError if it is not installed."""
    try:
        import h5py as package
    except ImportError:
        raise InputError("HDF5 files need the package h5py", advice="pip install 'showtell[h5]'") from None
    return package


def open_hdf5(path: Path) -> Any:
    """The open file. Raises InputError, or OSError if it is no HDF5."""
    check_file(path)
    return h5py().File(path, "r")


def check_claim(name: str, claimed: int, stored: int) -> None:
    """Raise ValueError if an array is far larger in memory than in the file, because it would fill the memory."""
    most = min(stored * MOST_COMPRESSED, LARGEST_COMPRESSED)
    if claimed > max(stored, most, MOST_UNSTORED):
        raise ValueError(
            f"{name!r} claims {claimed:,} bytes, but stores {stored:,}; save the complete array without compression"
        )


def check_stored(place: str, array: Any) -> None:
    """Raise ValueError if values of a dataset are not in the file. HDF5 would fill them with one constant."""
    values = array.size or 0
    size, chunk = values * array.dtype.itemsize, prod(array.chunks or (0,)) * array.dtype.itemsize
    for source in _sources(array):
        check_file(source)
    stored = min(array.id.get_storage_size(), Path(array.file.filename).stat().st_size)
    check_claim(place, max(size, chunk) if values else 0, stored)
    if values and not array.is_virtual and not stored:
        raise ValueError(f"{place!r} claims {size:,} bytes, but none was written")
    if values and array.chunks:
        sides = zip(array.shape, array.chunks, strict=True)
        wanted, written = prod(-(-side // part) for side, part in sides), array.id.get_num_chunks()
        if written < wanted:
            raise ValueError(f"{place!r}: only {written:,} of its {wanted:,} chunks were written")


def _sources(array: Any) -> Iterator[Path]:
    """The other files that hold values of a dataset."""
    home = Path(array.file.filename).parent
    names = [name for name, _, _ in array.external or ()]
    if array.is_virtual:
        names += [source.file_name for source in array.virtual_sources() if source.file_name != "."]
    yield from (home / name for name in names)


def check_link(group: Any, name: str) -> None:
    """Raise InputError if this is a link to another file that is not to be read: opening a pipe would never end."""
    link = group.get(name, getlink=True)
    if hasattr(link, "filename"):
        target = Path(group.file.filename).parent / link.filename
        if target.exists():  # what is missing gets its words where the link is followed
            check_file(target)


class Visits:
    """How often each group was entered, by any path: forty groups with two links each would have 10^12 paths."""

    def __init__(self) -> None:
        self._times: dict[Any, int] = {}

    def enter(self, group: Any, place: str) -> None:
        """Raise ValueError if this is the way too often, or too deep."""
        about = h5py().h5o.get_info(group.id)
        key = (about.fileno, about.addr)
        self._times[key] = self._times.get(key, 0) + 1
        if self._times[key] > MOST_VISITS or place.count("/") > MOST_LEVELS:
            raise ValueError(f"{place!r} is reached in too many ways: its links lead in circles, or are too deep")
