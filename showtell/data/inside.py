"""A photo inside an HDF5 file has the path FILE.hdf5/ROW: here it becomes a picture, or the bytes for its digest."""

from pathlib import Path
from typing import Any

from PIL import Image

from showtell.plumbing.errors import InputError


def h5py() -> Any:
    """The package h5py. Raises InputError if it is not installed."""
    try:
        import h5py as package
    except ImportError:
        raise InputError("HDF5 files need the package h5py", advice="pip install 'showtell[h5]'") from None
    return package


def file_of(path: Path) -> Path | None:
    """The HDF5 file that holds this photo; None for a photo that is a file of its own.

    >>> file_of(Path("TRAIN.hdf5/17")), file_of(Path("17.jpg"))
    (PosixPath('TRAIN.hdf5'), None)
    """
    return path.parent if path.parent.suffix == ".hdf5" and path.name.isdecimal() else None


def open_inside(path: Path) -> Image.Image:
    """The picture at FILE.hdf5/ROW. Raises what h5py raises if there is none."""
    return Image.fromarray(_row(path).transpose(1, 2, 0).copy(), "RGB")


def read_inside(path: Path) -> bytes:
    content: bytes = _row(path).tobytes()
    return content


def _row(path: Path) -> Any:
    with h5py().File(path.parent, "r") as file:
        return file["images"][int(path.name)]
