"""An image file -> an upright RGB picture, or one clear `InputError`; nothing else comes out of here.

Only the formats of photos are opened: Pillow's other readers (EPS runs Ghostscript) are no place for strangers' files.
"""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from showtell.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
MAX_SIDE = 20_000
MAX_PIXELS = 178_000_000  # a little under 179 million, where Pillow itself refuses

Turn = Image.Transpose
ORIENTATION = 0x0112  # the EXIF tag: how the camera was held
TURNS = {  # its value -> what makes the picture upright
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_270,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_90,
}
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow would clip these at 255


def open_image(path: str | Path, at_least: int | None = None) -> Image.Image:
    """The picture in RGB: upright by its EXIF, transparency over white, the first frame of an animation.

    With `at_least` a large JPEG is decoded at 1/2, 1/4 or 1/8 as long as both sides keep that many pixels: much faster.
    """
    path = Path(path)
    try:
        _refuse_what_is_no_file(path)
        with Image.open(path, formats=FORMATS) as image:
            _refuse_giants(image)
            if at_least is not None:
                image.draft(None, (at_least, at_least))
            image.load()
            return upright_rgb(image)
    except Exception as error:  # damaged files make Pillow raise nearly anything
        raise InputError(f"{path.name or path}: {_reason(error)}") from error


def upright_rgb(image: Image.Image) -> Image.Image:
    """Any picture of Pillow as the encoders take it; made upright once, however often it is asked."""
    result = _rgb(_upright(image))
    result.info = {}  # the EXIF that has now been followed
    return result


class _Refused(Exception):
    """A file that is not even tried; the message is the reason."""


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        raise _Refused("a folder, not an image")
    if not path.exists():
        raise _Refused("no such file")
    if not path.is_file():  # opening a pipe would wait for ever
        raise _Refused("not an ordinary file")
    if path.stat().st_size == 0:
        raise _Refused("empty file")


def _refuse_giants(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        allowed = f"{MAX_SIDE:,} pixels a side and {MAX_PIXELS // 1_000_000} million in all"
        raise _Refused(f"too large ({width:,} x {height:,}); at most {allowed}")


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, _Refused):
        return text
    if isinstance(error, UnidentifiedImageError):
        return f"not an image ({', '.join(FORMATS).lower()} can be read)"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning | MemoryError):
        return "too large"
    if "truncated" in text.lower() or "unexpected end" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return f"damaged ({text.splitlines()[0][:80] if text.strip() else type(error).__name__})"


def _upright(image: Image.Image) -> Image.Image:
    """Unlike `ImageOps.exif_transpose`, this forgives a broken EXIF block: the picture itself is whole."""
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:
        turn = None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_MODES:
        return _from_deep_grey(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16 or 32 bits or floats of grey: full scale becomes white; what it is, the largest value tells where the mode
    does not (1.0 for floats, 255, 65535, or the largest value itself)."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    largest = values.max()
    if image.mode.startswith("I;16"):
        white = 65535.0
    else:
        white = next((top for top in (1.0, 255.0, 65535.0) if largest <= top), largest)
    return Image.fromarray((values / white * 255).round().clip(0, 255).astype(np.uint8)).convert("RGB")
