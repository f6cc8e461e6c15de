"""open_image: every picture comes out upright in RGB, every bad file as one clear InputError."""

import os
import struct
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from showtell.data import images
from showtell.data.images import TURNS, Turn, open_image
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import printable

UNDO = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # the turn that takes back each turn


def gradient(width: int, height: int) -> Image.Image:
    """Each corner has its own colour, so that any turn shows."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 0 * x + 90], axis=-1).astype(np.uint8))


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.mode == other.mode == "RGB" and one.size == other.size
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_come_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = gradient(40, 24)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    upright.transpose(Turn(TURNS[UNDO[orientation]])).save(path, exif=exif)
    assert difference(open_image(path), upright) < 4


def test_a_broken_exif_block_does_not_lose_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    gradient(40, 24).save(path, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01")
    assert open_image(path).size == (40, 24)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    half = Image.new("RGBA", (4, 3), (0, 0, 0, 0))
    half.putpixel((1, 1), (200, 10, 20, 255))
    for name, image in {"rgba.png": half, "palette.png": half.convert("P"), "grey.png": half.convert("LA")}.items():
        image.save(tmp_path / name)
        opened = open_image(tmp_path / name)
        assert opened.getpixel((0, 0)) == (255, 255, 255), name
        assert opened.getpixel((1, 1)) != (255, 255, 255), name


def test_a_transparent_colour_of_an_rgb_picture_is_white(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3), (9, 8, 7)).save(tmp_path / "a.png", transparency=(9, 8, 7))
    assert open_image(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 256, 32896, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
    opened = np.asarray(open_image(tmp_path / "deep.png"))
    assert opened[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0.0, 51.0, 255.0]], dtype=np.float32), [0, 51, 255]),
        (np.array([[np.nan, np.inf, 1.0]], dtype=np.float32), [0, 0, 255]),
        (np.array([[-3.4e38, 0.5, 1.0]], dtype=np.float32), [0, 128, 255]),
        (np.array([[0, 257, 65535]], dtype=np.int32), [0, 1, 255]),
        (np.array([[-5, 100_000, 200_000]], dtype=np.int32), [0, 128, 255]),
    ],
)
def test_wide_greys_are_scaled_not_clipped(tmp_path: Path, values: np.ndarray, expected: list[int]) -> None:
    Image.fromarray(values).save(tmp_path / "wide.tif")
    assert np.asarray(open_image(tmp_path / "wide.tif"))[0, :, 2].tolist() == expected


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_modes_become_the_same_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png")
    Image.new("RGB", (8, 8), "white").convert(mode).save(path)
    assert difference(open_image(path), Image.new("RGB", (8, 8), "white")) < 3


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.png", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        red, green, _ = open_image(tmp_path / name).getpixel((2, 2))
        assert red > 240 and green < 10, name


def test_at_least_shrinks_large_jpegs_but_not_below(tmp_path: Path) -> None:
    gradient(1000, 600).save(tmp_path / "large.jpg")
    gradient(1000, 600).save(tmp_path / "large.png")
    assert open_image(tmp_path / "large.jpg").size == (1000, 600)
    assert open_image(tmp_path / "large.jpg", at_least=140).size == (250, 150)
    assert open_image(tmp_path / "large.jpg", at_least=700).size == (1000, 600)
    assert open_image(tmp_path / "large.png", at_least=140).size == (1000, 600)
    shrunk = open_image(tmp_path / "large.jpg", at_least=140)
    assert difference(shrunk, gradient(1000, 600).resize((250, 150))) < 3


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_image(path)
    return str(caught.value)


def test_what_is_no_image_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("I am not a photo")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "absent.jpg") == "absent.jpg: no such file"
    assert refusal(tmp_path / "empty.jpg") == "empty.jpg: empty file"
    assert refusal(tmp_path / "folder.jpg") == "folder.jpg: a folder, not an image"
    assert refusal(tmp_path / "pipe.jpg") == "pipe.jpg: not an ordinary file"
    assert refusal(tmp_path / "text.jpg").startswith("text.jpg: not an image (jpeg, png, webp, bmp, gif, ")
    assert "PostScript" in refusal(tmp_path / "script.png")
    assert refusal(Path("nul\0.jpg")) == r"nul\x00.jpg: no such file"


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "webp"])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    gradient(64, 48).save(whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refusal(cut).startswith(f"cut.{suffix}: ")
    if suffix in ("jpg", "png", "bmp"):
        assert refusal(cut) == f"cut.{suffix}: truncated"


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


TOO_LARGE = "too large; at most 20,000 pixels a side and 178 million in all"


def test_a_telephones_formats_are_called_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HEIC whose package is missing, and a video."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(16))
    assert "showtell[heic]" in refusal(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(16))
    assert "a video" in refusal(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_photos_of_telephones_are_read(tmp_path: Path, kind: str) -> None:
    if kind == "heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    colours = Image.new("RGB", (64, 48), "red")
    colours.save(tmp_path / f"a.{kind}")
    (tmp_path / f"a.{kind}").rename(tmp_path / "a.jpg")  # the content decides, not the name
    opened = open_image(tmp_path / "a.jpg")
    assert opened.size == (64, 48) and opened.getpixel((30, 20))[0] > 240


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.CR2", b"II*\0\x10\0\0\0CR\2\0", "raw"),
        ("a.nef", b"II*\0\x08\0\0\0" + bytes(20), "raw"),
        ("large.nef", b"II*\0\x08\0\0\0" + bytes(2**24), "raw"),  # too large to be decoded here
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "raw"),
        ("a.jpg", b"%PDF-1.7", "PDF"),
        ("a.jpg", b"\n<!DOCTYPE html><html>", "web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("a.psd", b"8BPS\0\1", "Photoshop"),
    ],
)
def test_what_is_no_photo_is_called_by_its_name(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert says in refusal(tmp_path / name)


@pytest.mark.parametrize("size", [(20_001, 10), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_giants_are_refused_before_they_are_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "giant.png"
    path.write_bytes(png_of(*size))
    assert refusal(path) == f"giant.png: {TOO_LARGE}"


def giant_jpeg(path: Path, side: int, progressive: bool = False) -> Path:
    """A small JPEG that claims to be larger; what is missing is filled with grey."""
    Image.new("RGB", (16, 16)).save(path, progressive=progressive)
    content = bytearray(path.read_bytes())
    frame = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    path.write_bytes(content)
    return path


@pytest.mark.slow
def test_a_giant_jpeg_is_only_tried_where_it_shrinks_while_it_is_decoded(tmp_path: Path) -> None:
    path = giant_jpeg(tmp_path / "giant.jpg", 30_000)
    assert refusal(path) == f"giant.jpg: {TOO_LARGE}"
    assert open_image(path, at_least=448).size == (3750, 3750)
    for side, progressive in ((60_000, False), (30_000, True)):  # ten seconds' work; kept whole by the decoder
        with pytest.raises(InputError, match=TOO_LARGE):
            open_image(giant_jpeg(path, side, progressive), at_least=448)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16", "1", "CMYK"])
def test_large_pictures_are_shrunk_once_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    path, exif = tmp_path / "large.tif", Image.Exif()
    exif[0x0112] = 6
    drawn = gradient(240, 180).convert("L")
    deep = Image.fromarray(np.asarray(drawn, dtype=np.uint16) * 257)
    drawn = deep if mode == "I;16" else drawn.convert(mode)
    drawn.save(path, exif=exif)
    whole = open_image(path, at_least=30)
    monkeypatch.setattr(images, "LARGE", 1000)
    small = open_image(path, at_least=30)
    assert whole.size == (180, 240) and small.size == (30, 40)
    assert difference(whole.resize((30, 40), Image.Resampling.BOX), small) < 2
    assert open_image(path).size == (180, 240)


def test_several_giants_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, inside, most = tmp_path / "a.png", [], []
    gradient(60, 50).save(path)
    load = PngImageFile.load

    def watched(image: PngImageFile) -> object:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return load(image)

    monkeypatch.setattr(PngImageFile, "load", watched)
    for limit in (10_000, 100):
        monkeypatch.setattr(images, "LARGE", limit)
        most.clear()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(open_image, [path] * 4))
        assert (max(most) == 1) == (limit == 100)


def test_memory_that_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error: Exception) -> str:
        monkeypatch.setattr(PngImageFile, "load", Mock(side_effect=error))
        return refusal(tmp_path / "a.png")

    gradient(6, 5).save(tmp_path / "a.png")
    assert fails(MemoryError()) == "a.png: too large for the memory"
    assert fails(OSError(5, "Input/output error")) == "a.png: cannot be read (input/output error)"
    assert fails(OSError("decoder jpeg2k not available")) == "a.png: Pillow cannot decode this kind of image"
    assert fails(SyntaxError("broken PNG file (chunk b'1234')")) == "a.png: damaged"


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read all, so the refusal is made here."""
    gradient(6, 5).save(tmp_path / "a.png")
    monkeypatch.setattr(os, "open", Mock(side_effect=PermissionError(13, "Permission denied")))
    assert refusal(tmp_path / "a.png") == "a.png: no permission to read it"


def test_what_a_file_is_its_bytes_say(tmp_path: Path) -> None:
    for form in ("PNG", "WEBP", "BMP", "GIF", "TIFF"):
        gradient(6, 5).save(tmp_path / "a.jpg", format=form)
        assert difference(open_image(tmp_path / "a.jpg"), gradient(6, 5)) < 9, form
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "one.png")
    assert open_image(tmp_path / "one.png", at_least=448).getpixel((0, 0)) == (1, 2, 3)


def test_inverted_cmyk_has_its_true_colours(tmp_path: Path) -> None:
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    for name in ("adobe.jpg", "plain.tif"):
        cyan.save(tmp_path / name)
        assert difference(open_image(tmp_path / name), Image.new("RGB", (8, 8), (0, 255, 255))) < 3, name
    assert b"Adobe" in (tmp_path / "adobe.jpg").read_bytes()


@pytest.mark.parametrize("name", ["a b.png", 'it\'s "so".png', "two\nlines.png", "照片 Möwe.png", "\udcff\udcfe.png"])
def test_any_name_is_read_and_told_on_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    try:
        gradient(6, 5).save(path, format="PNG")
    except OSError:
        pytest.skip("a name that this file system does not take")
    assert open_image(path).size == (6, 5)
    path.write_bytes(b"")
    told = refusal(path)
    assert told.isprintable() and told.encode() and told == f"{printable(name)}: empty file"


def test_a_link_is_followed_or_said_to_lead_nowhere(tmp_path: Path) -> None:
    gradient(6, 5).save(tmp_path / "a.png")
    (tmp_path / "good.png").symlink_to("a.png")
    (tmp_path / "broken.png").symlink_to("b.png")
    (tmp_path / "round.png").symlink_to("round.png")
    assert open_image(tmp_path / "good.png").size == (6, 5)
    for name in ("broken.png", "round.png"):
        assert refusal(tmp_path / name) == f"{name}: a link that leads nowhere"


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["jpg", "png", "gif", "webp", "tif"]), st.data())
def test_any_damage_gives_a_picture_or_an_input_error(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"damaged.{suffix}"
    gradient(24, 16).save(path)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert open_image(path).mode == "RGB"
    except InputError as error:
        assert str(error).startswith(path.name)
