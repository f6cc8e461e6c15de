"""A file of precomputed features -> arrays by image name, read one at a time to save memory.

Names of the features and boxes of the image `ID` in each format:

    a folder          ID.npy and ID.boxes.npy, or ID.npz with `features` and `boxes`
    .npz              ID and ID:boxes
    .safetensors      ID and ID:boxes
    .h5, .hdf5        datasets ID and ID:boxes, or a group ID with `features` and `boxes`
    .pkl, .pickle     a dict ID -> array, or ID -> {features: array, boxes: array}; read as a whole
"""

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showtell.data.photo_pickles import read_photo
from showtell.plumbing import pickles
from showtell.plumbing.errors import InputError
from showtell.plumbing.hdf5 import Visits, check_claim, check_link, check_stored
from showtell.plumbing.reading import WHOLE, check_file, why_not

Array = NDArray[Any]
FEATURES, BOXES = "features", "boxes"


class Reader(ABC):
    """`shapes` maps a name to the shape of its features; `features` and `boxes` read the arrays of one image."""

    shapes: Mapping[str, tuple[int, ...]]

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def features(self, name: str) -> Array: ...

    @abstractmethod
    def boxes(self, name: str) -> Array | None: ...


def open_features(path: Path) -> Reader:
    """Raises InputError if the file does not exist or has no known format."""
    if "*" in path.name:
        return PhotoPickles(path)
    if not path.exists():
        raise refused(path, "there is no such file or folder")
    if path.is_dir():
        return Folder(path)
    if path.suffix.lower() not in FORMS:
        takes = f"a folder of .npy or .npz, or a file that ends in {', '.join(FORMS)}"
        raise refused(path, f"{path.suffix or 'a file without suffix'} is no format of features", takes=takes)
    try:
        if wrong := why_not(path):
            raise refused(path, f"it {wrong}")
        return FORMS[path.suffix.lower()](path)
    except InputError:
        raise
    except Exception as error:  # a damaged file can make the libraries raise any exception
        raise damaged(path, error) from error


def refused(path: Path, wrong: str, **more: Any) -> InputError:
    """An error about regions.file; `more` is its other data: what is allowed, advice."""
    return InputError(f"is {str(path)!r}: {wrong}", key="regions.file", value=str(path), **more)


def damaged(path: Path, error: Exception, name: str | None = None) -> InputError:
    """The error for a file, or for the image `name` in it, that cannot be read."""
    reason = " ".join(str(error).split()) or type(error).__name__
    what = "it" if name is None else repr(name)
    form = "folder of .npy or .npz" if path.is_dir() else f"{path.suffix} of arrays"
    return refused(path, f"{what} cannot be read as a {form} ({reason})")


def files_of(path: Path) -> Iterator[Path]:
    """The file itself; for a folder, all files of features in it and in its subfolders."""
    if "*" in path.name:
        yield from _pickles(path)
        return
    if not path.is_dir():
        yield path
    for where, _, names in os.walk(path, followlinks=True):
        # Skip hidden files: macOS writes `._7.npy` next to `7.npy`.
        yield from (Path(where, name) for name in names if name.endswith((".npy", ".npz")) and name[0] != ".")


class Folder(Reader):
    """One file per image. Names are paths relative to the folder, without .npy or .npz: `val/7` for `val/7.npy`."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, Path] = {}
        for path in files_of(folder):
            name = path.relative_to(folder).as_posix()[:-4]
            if name in self._files:
                raise refused(folder, f"{name}.npy and {name}.npz belong to one image", advice="delete one")
            self._files[name] = path
        self.shapes = _Shapes(self.shape, [name for name in self._files if not name.endswith(f".{BOXES}")])

    def shape(self, name: str) -> tuple[int, ...]:
        path = self._files[name]
        check_file(path)
        if path.suffix == ".npy":
            return tuple(np.load(path, mmap_mode="r", allow_pickle=False).shape)
        with zipfile.ZipFile(path) as archive:
            return _shape_in(archive, FEATURES) if f"{FEATURES}.npy" in archive.namelist() else ()

    def features(self, name: str) -> Array:
        path = self._files[name]
        if path.suffix == ".npy":
            return _whole(path)
        check_file(path)
        with np.load(path, allow_pickle=False) as arrays:
            if FEATURES not in arrays:
                names = ", ".join(arrays.files[:5]) or "no arrays"
                raise InputError(
                    f"has {names}, but no {FEATURES!r}", key=str(path), advice=f"name the array {FEATURES!r}"
                )
            return _array_in(arrays, FEATURES)

    def boxes(self, name: str) -> Array | None:
        path = self._files[name]
        if path.suffix == ".npy":
            beside = self._files.get(f"{name}.{BOXES}")
            return None if beside is None else _whole(beside)
        check_file(path)
        with np.load(path, allow_pickle=False) as arrays:
            return _array_in(arrays, BOXES) if BOXES in arrays else None


def _whole(path: Path) -> Array:
    """Read a .npy file. It is memory-mapped first, because numpy then checks the header's shape against the file."""
    check_file(path, WHOLE)
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False))


class _Shapes(Mapping[str, tuple[int, ...]]):
    """A dict of shapes; each shape is read from a header only when it is needed."""

    def __init__(self, read: Callable[[str], tuple[int, ...]], names: list[str]) -> None:
        self._read, self._names = read, dict.fromkeys(names)

    def __getitem__(self, name: str) -> tuple[int, ...]:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Npz(Reader):
    """All images in one archive."""

    def __init__(self, path: Path) -> None:
        self._arrays = np.load(path, allow_pickle=False)
        self._turn = Lock()  # all threads share the archive's read position
        archive, turn = self._arrays.zip, self._turn

        def shape(name: str) -> tuple[int, ...]:  # does not refer to self, so the file closes when self is deleted
            with turn:
                return _shape_in(archive, name)

        self.shapes = _Shapes(shape, [name for name in self._arrays.files if not name.endswith(f":{BOXES}")])

    def features(self, name: str) -> Array:
        with self._turn:
            return _array_in(self._arrays, name)

    def boxes(self, name: str) -> Array | None:
        name = f"{name}:{BOXES}"
        with self._turn:
            return _array_in(self._arrays, name) if name in self._arrays else None


def _array_in(arrays: Any, name: str) -> Array:
    _shape_in(arrays.zip, name)
    return np.asarray(arrays[name])


def _shape_in(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """The shape of an array in an archive, from its header. The values are not read.

    Raises ValueError if shape and type do not fit the number of bytes: (2, 3) of float32 needs 24.
    """
    member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.NameToInfo else name)
    check_claim(name, member.file_size, member.compress_size)
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = header(file)
        if not kind.hasobject and prod(shape) * kind.itemsize != member.file_size - file.tell():
            raise ValueError(f"{name!r} claims the shape {shape} of {kind}, but has {member.file_size:,} bytes")
        return tuple(shape)


class Safetensors(Reader):
    """All images in one file. Its header has all shapes."""

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self._file = safe_open(path, framework="pt")  # torch, because numpy has no bfloat16
        self._names = set(self._file.keys())
        names = [name for name in self._file.keys() if not name.endswith(f":{BOXES}")]  # noqa: SIM118
        self.shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in names}

    def features(self, name: str) -> Array:
        tensor = self._file.get_tensor(name)
        return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())

    def boxes(self, name: str) -> Array | None:
        name = f"{name}:{BOXES}"
        return self.features(name) if name in self._names else None


class Hdf5(Reader):
    """All images in one file and the files that it links to. The id `val/7` is the dataset `7` in the group `val`."""

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError:
            advice = "pip install 'showtell[h5]', or save it as .safetensors"
            raise refused(path, f"{path.suffix} needs h5py", advice=advice) from None
        self._file = h5py.File(path, "r")
        visits = Visits()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[str, str] = {}
        self._boxes: dict[str, str] = {}

        for place, array in _datasets(path, self._file["/"], visits):
            above, _, last = place.rpartition("/")
            if place.endswith(f":{BOXES}"):
                self._boxes[place.removesuffix(f":{BOXES}")] = place
            elif above and last == BOXES:
                self._boxes[above] = place
            else:
                name = above if above and last == FEATURES else place
                check_stored(place, array)
                self.shapes[name], self._places[name] = tuple(array.shape or ()), place

    def features(self, name: str) -> Array:
        return self._read(self._places[name])

    def boxes(self, name: str) -> Array | None:
        return self._read(self._boxes[name]) if name in self._boxes else None

    def _read(self, place: str) -> Array:
        array = self._file[place]
        check_stored(place, array)
        if array.dtype.kind not in "fiub":  # texts could fill the memory, whatever the size of the dataset
            raise ValueError(f"{place!r} has type {array.dtype}; it takes numbers")
        return np.asarray(array)


def _datasets(
    path: Path, group: Any, visits: Visits, place: str = "", above: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """All datasets below a group, with their paths. Links are followed, which h5py's visititems does not do.

    A link to a group that contains it is skipped, because it would never end.
    """
    import h5py

    visits.enter(group, place)
    above = (*above, group)
    for name in group:
        item = _linked(path, group, name, place + name)
        if isinstance(item, h5py.Dataset):
            yield place + name, item
        elif isinstance(item, h5py.Group) and item not in above:
            yield from _datasets(path, item, visits, f"{place}{name}/", above)


def _linked(path: Path, group: Any, name: str, place: str) -> Any:
    check_link(group, name)
    try:
        return group[name]
    except Exception as error:  # KeyError, OSError or RuntimeError, depending on the kind of link
        link = group.get(name, getlink=True)
        if not hasattr(link, "path"):  # it is not a link, so the file is damaged
            raise
        to = f"{link.path} of {link.filename}" if hasattr(link, "filename") else link.path
        reason = " ".join(str(error.args[0] if error.args else error).split())
        wrong = f"{place!r} is a link to {to}, which cannot be followed ({reason})"
        raise refused(path, wrong, advice="add what is missing, or remove the link") from error


class Pickled(Reader):
    """A dict of arrays. A pickle can only be read as a whole, so all arrays are in memory."""

    def __init__(self, path: Path) -> None:
        content = pickles.load(path, "regions.file")
        if not isinstance(content, dict):
            raise refused(path, f"it has a {type(content).__name__}", takes="a dict of arrays by image id")
        both = {str(name): entry if isinstance(entry, dict) else {FEATURES: entry} for name, entry in content.items()}
        if lacking := [name for name, entry in both.items() if FEATURES not in entry]:
            names = ", ".join(map(str, list(both[lacking[0]])[:5])) or "no arrays"
            wrong = f"{lacking[0]!r} has {names}, but no {FEATURES!r}"
            raise refused(path, wrong, advice=f"name the array {FEATURES!r}")
        self._arrays = {name: _numbers(path, name, entry[FEATURES]) for name, entry in both.items()}
        boxes = {name: entry[BOXES] for name, entry in both.items() if entry.get(BOXES) is not None}
        self._boxes = {name: _numbers(path, name, where) for name, where in boxes.items()}
        self.shapes = {name: array.shape for name, array in self._arrays.items()}

    def features(self, name: str) -> Array:
        return self._arrays[name]

    def boxes(self, name: str) -> Array | None:
        return self._boxes.get(name)


def _pickles(pattern: Path) -> list[Path]:
    """The files in all folders that fit a pattern such as `data/*2017_STUB`."""
    folders = sorted(folder for folder in pattern.parent.glob(pattern.name) if folder.is_dir())
    return [file for folder in folders for file in sorted(folder.iterdir()) if file.name[0] != "."]


class PhotoPickles(Reader):
    """One pickle a photo, in all folders that fit a pattern, as the Oslo course has them (`data/photo_pickles.py`)."""

    def __init__(self, pattern: Path) -> None:
        self._files: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for file in _pickles(pattern):
            photo = read_photo(file)
            if photo.name in self._files:
                wrong = f"{file.name} and {self._files[photo.name].name} are of one photo, {photo.name}"
                raise refused(pattern, wrong, advice="delete one")
            self._files[photo.name], self.shapes[photo.name] = file, photo.features.shape

    def features(self, name: str) -> Array:
        return read_photo(self._files[name]).features

    def boxes(self, name: str) -> Array | None:
        return None


def _numbers(path: Path, name: str, entry: Any) -> Array:
    """An array, or lists of numbers, as an array. Texts are refused: each would need the memory of the longest."""
    if not _is_numeric(entry):
        raise refused(path, f"{name!r} has other values than numbers", advice="save arrays of numbers")
    return np.asarray(entry)


def _is_numeric(entry: Any) -> bool:
    if isinstance(entry, list | tuple):
        return all(_is_numeric(each) for each in entry)
    return isinstance(entry, bool | int | float | np.ndarray | np.generic)


FORMS: dict[str, type[Reader]] = {
    ".npz": Npz,
    ".safetensors": Safetensors,
    ".h5": Hdf5,
    ".hdf5": Hdf5,
    ".pkl": Pickled,
    ".pickle": Pickled,
}
