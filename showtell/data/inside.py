"""A photo inside an HDF5 file has the path FILE.hdf5/ROW: here it becomes a picture, or the bytes for its digest."""

from pathlib import Path
from typing import Any

from PIL import Image

from showtell.plumbing.hdf5 import MOST_COMPRESSED, MOST_UNSTORED, open_hdf5

MOST_PIXELS = 2**24  # of a picture; the course's have 256 x 256


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
    with open_hdf5(path.parent) as file:
        check_images(file)
        return file["images"][int(path.name)]


def check_images(file: Any) -> None:
    """Raise ValueError unless the file holds pictures: bytes of (3 h w), all of them written."""
    images = file["images"]
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[1] != 3 or images.dtype != "uint8" or shape[2] * shape[3] > MOST_PIXELS:
        raise ValueError(f"'images' is no dataset of pictures: {shape}")
    one = shape[1] * shape[2] * shape[3]
    stored = images.id.get_storage_size()
    if one * shape[0] > max(stored * MOST_COMPRESSED, MOST_UNSTORED) or images.external or images.is_virtual:
        raise ValueError("'images' claims pictures that the file does not hold")
