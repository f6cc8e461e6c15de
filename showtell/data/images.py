"""An image file -> an upright RGB picture. The only error is `Unreadable`, with a reason.

- Only photo formats are opened. Pillow's other readers are risky for untrusted files: EPS runs Ghostscript.
- The first bytes of a file decide its format, not its name.
- Memory is bounded. The size is checked before decoding; for a JPEG, the size after shrinking to 1/2, 1/4 or 1/8
  counts. A process decodes only one picture of over `LARGE` pixels at a time.
- Time is bounded too. What may take long is decoded in a process that can be ended (`apart.py`).
"""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import (  # importing a plugin registers its reader
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

from showtell.data.apart import decode_apart, is_large_file, is_suspicious
from showtell.data.inside import file_of, open_inside
from showtell.data.kinds import HEIC_REASON, RAW_REASON, is_heic, is_raw, what_it_is
from showtell.plumbing.errors import Unreadable
from showtell.plumbing.reading import open_file, why_not

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")  # HEIF with the extra `heic`
MOST_BYTES = 2**30
MAX_SIDE = 20_000
MAX_PIXELS = 178_000_000  # 0.7 GB in Pillow's memory
MAX_WEBP = 80_000_000  # its decoder takes 16 bytes for a pixel
MAX_SHRUNK = 1_000_000_000  # pixels of a JPEG before shrinking; decoding takes about ten seconds
LARGE = 24_000_000

# Silence Pillow's warnings about damaged files: `Unreadable` has the reason.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())

with suppress(ImportError):  # Pillow before 11.2 has no such reader
    from PIL import AvifImagePlugin  # noqa: F401

_giants, _libtiff = Lock(), Lock()

Turn = Image.Transpose
ORIENTATION = 0x0112  # the EXIF tag for how the camera was held
TURNS = {  # its value -> the operation that makes the picture upright
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_270,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_90,
}
SIDEWAYS = (Turn.TRANSPOSE, Turn.ROTATE_270, Turn.TRANSVERSE, Turn.ROTATE_90)
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow's `convert` would clip these at 255


def open_image(path: str | Path, at_least: int | None = None) -> Image.Image:
    """The picture in RGB: rotated upright by its EXIF tag, on white if transparent, the first frame if animated.

    With `at_least`, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size while both sides keep that many pixels, which is
    much faster. `at_least=140` decodes 1000 x 600 pixels at 1/4: 250 x 150. Other pictures of over `LARGE` pixels are
    shrunk after decoding, to save memory.
    """
    path = Path(path)
    try:
        if file_of(path) is not None:
            return open_inside(path)
        with _open_photo(path) as file:
            return _read(file, at_least, FORMATS)
    except Exception as error:  # on damaged files, Pillow may raise any error
        raise Unreadable(path, _reason(error)) from error


def read_image(file: BinaryIO, at_least: int | None, formats: Sequence[str], name: str = "photo") -> Image.Image:
    """`open_image` for an open file, for example an upload, with only these of the FORMATS."""
    try:
        file.seek(0)
        return _read(file, at_least, formats)
    except Exception as error:  # on damaged files, Pillow may raise any error
        raise Unreadable(Path(name), _reason(error)) from error


def header_size(file: BinaryIO, formats: Sequence[str], name: str = "photo") -> tuple[int, int]:
    """Width and height of an open file by its header, before it is rotated; nothing is decoded."""
    try:
        file.seek(0)
        return read_header(file, formats).size
    except Exception as error:  # on damaged files, Pillow may raise any error
        raise Unreadable(Path(name), _reason(error)) from error


def read_here(file: BinaryIO, at_least: int | None, formats: Sequence[str], path: Path) -> Image.Image:
    """`read_image` in this process, however long it takes."""
    try:
        file.seek(0)
        return _read(file, at_least, formats, here=True)
    except Exception as error:  # on damaged files, Pillow may raise any error
        raise Unreadable(path, _reason(error)) from error


def _read(file: BinaryIO, at_least: int | None, formats: Sequence[str], here: bool = False) -> Image.Image:
    if not here and is_large_file(file):
        _refuse_raw(file.read(32), file)  # the other process does not know its name
        return _apart(file, at_least, formats)
    image = read_header(file, formats)
    whole = _pixels(image)
    giant = _is_giant(image, file, at_least)
    if not here:
        several = _has_scans(image) and _kept_whole(image, file)
        if is_suspicious(image, file, whole if several else 0):
            return _apart(file, at_least, formats)
    with _giants if giant else nullcontext(), _silent(image):
        image.load()
        turn = _turn(image)
        return _finished(image if at_least is None else _shrunk(image, at_least), turn)


def _has_scans(image: Image.Image) -> bool:
    return image.format in ("JPEG", "MPO")


def _apart(file: BinaryIO, at_least: int | None, formats: Sequence[str]) -> Image.Image:
    with _giants:
        picture = decode_apart(file, at_least, formats)
    if isinstance(picture, str):
        raise _Refused(picture)
    return picture


def _open_photo(path: Path) -> BinaryIO:
    _refuse_what_is_no_file(path)
    if wrong := why_not(path, MOST_BYTES):
        raise _Refused("no permission to read it" if "permission" in wrong else wrong.partition(":")[0])
    return open_file(path, MOST_BYTES)


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of the picture that `open_image` returns, without decoding it."""
    try:
        with _open_photo(path) as file:
            image = read_header(file)
            width, height = image.size
            return (height, width) if _turn(image) in SIDEWAYS else (width, height)
    except Exception as error:  # on damaged files, Pillow may raise any error
        raise Unreadable(path, _reason(error)) from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow picture in upright RGB, as encoders need it. A second call does not rotate it again."""
    return _finished(image, _turn(image))


def _finished(image: Image.Image, turn: Turn | None) -> Image.Image:
    result = _rgb(image if turn is None else image.transpose(turn))
    result.info = {}  # drop the EXIF tag, so that nothing rotates the picture again
    return result


@contextmanager
def _silent(image: Image.Image) -> Iterator[None]:
    """Discard the process's standard error while libtiff decodes: libtiff writes there directly, not through Python."""
    if not any(tile[0] == "libtiff" for tile in getattr(image, "tile", ())):
        yield
        return
    with _libtiff:
        try:
            before = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


class _Refused(Exception):
    """A file that is refused before decoding; the message is the reason."""


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        raise _Refused("a folder, not an image")
    if not path.exists():
        raise _Refused("a link that leads nowhere" if path.is_symlink() else "no such file")
    if not path.is_file():  # opening a pipe would wait forever
        raise _Refused("not an ordinary file")
    if path.stat().st_size == 0:
        raise _Refused("empty file")


def read_header(file: BinaryIO, formats: Sequence[str] = FORMATS) -> Image.Image:
    """The undecoded picture. Its first bytes decide the format.

    `Image.open` is not used, because it refuses JPEGs by their full size, before they are shrunk.
    """
    start = file.read(32)
    if is_heic(start) and "HEIF" in formats:
        _read_heic()
    for name in formats:
        open_as, accepts = Image.OPEN.get(name, (None, None))
        if open_as is not None and accepts is not None and accepts(start) is True:
            _refuse_raw(start, file)
            file.seek(0)
            return open_as(file, "")
    other = what_it_is(start, str(getattr(file, "name", ""))) if formats == FORMATS else None  # servers take fewer
    raise _Refused(other or f"not an image ({', '.join(formats).lower()} can be read)")


def _refuse_raw(start: bytes, file: BinaryIO) -> None:
    """Refuse a camera's raw file that is a TIFF inside: a reader of TIFFs would find its small preview."""
    if start.startswith((b"II*\0", b"MM\0*")) and is_raw(start, str(getattr(file, "name", ""))):
        raise _Refused(RAW_REASON)


def _read_heic() -> None:
    """Let Pillow read HEIC, if the package for it is installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise _Refused(HEIC_REASON) from None
    register_heif_opener()


def _pixels(image: Image.Image) -> int:
    return image.width * image.height


def _is_giant(image: Image.Image, file: BinaryIO, at_least: int | None) -> bool:
    """Whether decoding needs over LARGE pixels of memory. Sets JPEGs to shrink; refuses pictures over the limits."""
    whole = _pixels(image)
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    shrinks = _pixels(image) < whole
    # The reason does not name the size, so that equal reasons can be counted.
    most = MAX_WEBP if image.format == "WEBP" else MAX_PIXELS
    reason = f"too large; at most {MAX_SIDE:,} pixels a side and {most // 1_000_000} million in all"
    if max(image.size) > MAX_SIDE or _pixels(image) > most or whole > MAX_SHRUNK:
        raise _Refused(reason)
    kept_whole = shrinks and whole > LARGE and _kept_whole(image, file)
    if kept_whole and whole > MAX_PIXELS:
        raise _Refused(reason)
    return kept_whole or _pixels(image) > LARGE


def _kept_whole(image: Image.Image, file: BinaryIO) -> bool:
    """Whether the decoder must keep a whole JPEG in memory: if it has several scans, for example a progressive one."""
    if "progressive" in image.info or "progression" in image.info:
        return True
    file.seek(2)
    while len(marker := file.read(4)) == 4 and marker[0] == 0xFF:
        length = int.from_bytes(marker[2:], "big")
        if marker[1] == 0xDA:  # the first scan; with all colours in it, it is the only one
            return file.read(1)[0] < len(image.getbands())
        file.seek(length - 2, 1)
    return True


def _shrunk(image: Image.Image, at_least: int) -> Image.Image:
    """A large picture, averaged over squares of pixels while both sides keep `at_least` pixels.

    10,000 x 6,000 pixels with `at_least=500`: squares of 12 x 12.
    """
    factor = min(image.size) // at_least
    if _pixels(image) <= LARGE or factor < 2:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I").reduce(factor).convert("I;16")
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)


def _reason(error: Exception) -> str:
    """A short reason without numbers, so that equal reasons can be counted."""
    text = str(error).lower()
    if isinstance(error, _Refused):
        return str(error)
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, Image.DecompressionBombError | MemoryError):
        return "too large for the memory"
    if "truncated" in text or "unexpected end" in text or isinstance(error, EOFError):
        return "truncated"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror.lower()})"
    if isinstance(error, NotImplementedError) or "unsupported" in text or "not available" in text:
        return "Pillow cannot decode this kind of image"
    return "damaged"


def _turn(image: Image.Image) -> Turn | None:
    """The operation that makes a picture upright. Unlike `ImageOps.exif_transpose`, it ignores a broken EXIF block."""
    try:
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_MODES:
        return _from_deep_grey(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Grey values of 16 bits, 32 bits or floats -> RGB, scaled so that white becomes 255.

    White is 65535 in 16-bit modes. In others it is the first of 1.0, 255 and 65535 that no value exceeds, or else the
    largest value. For example, if the largest value is 200, white is 255; if it is 300, white is 65535.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    largest = values.max()
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        white = next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest)
    return Image.fromarray((values.clip(0, white) / white * 255).round().astype(np.uint8)).convert("RGB")
