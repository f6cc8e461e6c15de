"""The first bytes of a file that is no photo for us -> what it is, so that an error can say so.

Raw files of cameras need care: many are TIFFs inside, and a reader of TIFFs finds only their small preview.
"""

RAW = (
    *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"),
    *(".3fr", ".erf", ".kdc", ".mrw", ".x3f", ".iiq"),
)
RAW_REASON = "a camera's raw file; export it as JPEG"
HEIC_REASON = "HEIC needs the extra heic: pip install 'showtell[heic]', or save it as JPEG"
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # bytes 8 to 12
RAW_BYTES = ((0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"), (0, b"IIU\0"), (0, b"FOVb"))
KINDS: tuple[tuple[int, bytes, str], ...] = (  # offset, the bytes there, what such a file is
    *((*sign, RAW_REASON) for sign in (*RAW_BYTES, (4, b"ftypcrx"), (8, b"CR\2\0"))),
    (0, b"\xff\x0a", "JPEG XL cannot be read; save it as JPEG"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL cannot be read; save it as JPEG"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000 cannot be read; save it as JPEG"),
    (4, b"ftypavi", "this Pillow reads no AVIF; install Pillow 11.3 or later, or save it as JPEG"),
    (4, b"ftyp", "a video, not a photo"),
    (8, b"AVI LIST", "a video, not a photo"),
    (0, b"\x1aE\xdf\xa3", "a video, not a photo"),
    (0, b"%PDF", "a PDF, not a photo"),
    (0, b"8BPS", "a Photoshop file; export it as JPEG"),
    (0, b"%!PS", "a PostScript file; export it as JPEG"),
    (0, b"PK\3\4", "a zip archive, not a photo"),
    (0, b"\x1f\x8b", "a gzip archive, not a photo"),
    (0, b"version https://git-lfs", "a pointer of Git LFS; run `git lfs pull` to get the photo"),
)
TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "a web page, not a photo"),
    (b"<html", "a web page, not a photo"),
)
TEXTS += ((b"<svg", "an SVG drawing; export it as PNG"), (b"<?xml", "an XML or SVG file; export it as PNG"))


def is_heic(start: bytes) -> bool:
    return start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS


def is_raw(start: bytes, name: str) -> bool:
    """Whether a file whose first bytes are those of a TIFF is a raw file: by its bytes, or by its name."""
    return start[8:12] == b"CR\2\0" or name.lower().endswith(RAW)


def what_it_is(start: bytes, name: str = "") -> str | None:
    """What a file is by its first bytes, or else by its name; None if they say nothing.

    >>> what_it_is(b"%PDF-1.7"), what_it_is(b"hello")
    ('a PDF, not a photo', None)
    """
    if is_heic(start):
        return HEIC_REASON
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kinds = [kind for offset, sign, kind in KINDS if start[offset:].startswith(sign)]
    kinds += [kind for sign, kind in TEXTS if text.startswith(sign)]
    return kinds[0] if kinds else RAW_REASON if name.lower().endswith(RAW) else None
