"""A client's bytes -> an upright picture, or a refusal. The header decides before anything is decoded.

PNG can hold 200 million equal pixels in 30 kB: its header says so, and it is refused in a millisecond.
"""

from typing import BinaryIO

from PIL import Image

from showtell.data.images import header_size, read_image
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.messages import printable
from showtell.serve.limits import Limits, Refused

STATUS = {"not an image": 415, "HEIC": 415, "empty": 415, "too large": 413}  # by how a reason begins
TAKEN = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # TIFF has too many decoders to give strangers


def admit(file: BinaryIO, name: str, limits: Limits) -> int:
    """The number of the photo's pixels, by its header. Raises Refused: 415 for other files, 413 for too many pixels."""
    try:
        width, height = header_size(file, TAKEN)
    except Unreadable as error:
        raise _refused(name, error) from None
    if width * height > limits.pixels:
        most = f"at most {limits.pixels // 1_000_000} million pixels are taken"
        raise Refused(413, f"{shown(name)}: {width} x {height} pixels; {most}")
    return width * height


def open_upload(file: BinaryIO, name: str, at_least: int | None) -> Image.Image:
    """The upright RGB picture, as `showtell caption` would open the file. Raises Refused with status 413 or 422."""
    try:
        return read_image(file, at_least, TAKEN)
    except Unreadable as error:
        raise _refused(name, error) from None


def shown(name: str) -> str:
    """A client's file name on one line, without folders, at most 60 characters."""
    return printable(name.replace("\\", "/").rpartition("/")[2])[:60] or "photo"


def _refused(name: str, error: Unreadable) -> Refused:
    """415 for other files, 413 for too many pixels, 422 for a damaged photo."""
    status = next((status for start, status in STATUS.items() if error.reason.startswith(start)), 422)
    return Refused(status, f"{shown(name)}: {error.reason}")
