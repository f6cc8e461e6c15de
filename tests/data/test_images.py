"""open_image: every picture comes out upright in RGB, every bad file as one clear InputError."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from showtell.data.images import TURNS, Turn, open_image
from showtell.errors import InputError

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
    assert refusal(tmp_path / "text.jpg") == "text.jpg: not an image (jpeg, png, webp, bmp, gif, tiff can be read)"
    assert refusal(tmp_path / "script.png").startswith("script.png: not an image")
    assert refusal(Path("nul\0.jpg")) == "nul\0.jpg: no such file"


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


def test_giants_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "giant.png"
    path.write_bytes(png_of(20_001, 10))
    allowed = "at most 20,000 pixels a side and 178 million in all"
    assert refusal(path) == f"giant.png: too large (20,001 x 10); {allowed}"
    path.write_bytes(png_of(60_000, 60_000))
    assert refusal(path) == "giant.png: too large"


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
