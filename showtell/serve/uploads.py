"""A client's bytes -> an upright picture, or a refusal. The header decides before anything is decoded.

PNG can hold 200 million equal pixels in 30 kB: its header says so, and it is refused in a millisecond.
"""

from typing import BinaryIO

from PIL import Image

from showtell.data.images import header_size, read_image
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.messages import printable
from showtell.serve.limits import Limits, Refused

TAKEN = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # TIFF has too many decoders to give strangers


def admit(file: BinaryIO, name: str, limits: Limits) -> int:
    """The number of the photo's pixels, by its header. Raises Refused: 415 for other files, 413 for too many pixels."""
    try:
        width, height = header_size(file, TAKEN)
    except Unreadable as error:
        raise Refused(415 if _is_other(error) else 422, f"{shown(name)}: {error.reason}") from None
    if width * height > limits.pixels:
        most = f"at most {limits.pixels // 1_000_000} million pixels are taken"
        raise Refused(413, f"{shown(name)}: {width} x {height} pixels; {most}")
    return width * height


def open_upload(file: BinaryIO, name: str, at_least: int | None) -> Image.Image:
    """The upright RGB picture, as `showtell caption` would open the file. Raises Refused with status 422."""
    try:
        return read_image(file, at_least, TAKEN)
    except Unreadable as error:
        raise Refused(422, f"{shown(name)}: {error.reason}") from None


def shown(name: str) -> str:
    """A client's file name on one line, without folders, at most 60 characters."""
    return printable(name.replace("\\", "/").rpartition("/")[2])[:60] or "photo"


def _is_other(error: Unreadable) -> bool:
    return error.reason.startswith(("not an image", "HEIC", "empty"))
