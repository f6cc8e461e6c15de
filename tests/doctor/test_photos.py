"""Every photo is opened once: the reason of each bad one, and what is odd about each good one."""

import os
import re
import struct

import numpy as np
import pytest
from PIL import Image

from showtell.data import LeftOut, Record
from showtell.data.images import open_image
from showtell.doctor.photos import see_all
from showtell.plumbing.errors import InputError
from tests.doctor.drawn import drawing


def see(*paths):
    return see_all([Record(os.fsdecode(path.name), path, (), "train") for path in paths])


def turned(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    drawing(1).save(path, exif=exif)


ODD = {
    "turned by EXIF": ("a.jpg", turned),
    "grey": ("a.png", lambda path: drawing(2).convert("L").save(path)),
    "CMYK": ("a.jpg", lambda path: drawing(3).convert("CMYK").save(path)),
    "16 bits or more": (
        "a.png",
        lambda path: Image.fromarray(np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10).save(path),
    ),
    "transparent": ("a.png", lambda path: drawing(4).convert("RGBA").save(path)),
    "animated": ("a.gif", lambda path: drawing(5).save(path, save_all=True, append_images=[drawing(6)])),
    "tiny": ("a.png", lambda path: drawing(7).resize((31, 40)).save(path)),
    "huge": ("a.png", lambda path: drawing(8).resize((4001, 1500)).save(path)),
    "long and narrow": ("a.png", lambda path: drawing(9).resize((300, 100)).save(path)),
    "wrong suffix": ("a.png", lambda path: drawing(10).save(path, format="JPEG")),
    "plain": ("a.png", lambda path: Image.new("RGB", (90, 90), (200, 30, 30)).save(path)),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_about_a_photo_is_told_and_it_is_read(tmp_path, what):
    name, make = ODD[what]
    make(tmp_path / name)
    (photo,), unreadable = see(tmp_path / name)
    others = {"16 bits or more": {"grey"}}.get(what, set())  # such a PNG is grey, too
    assert set(photo.odd) == {what} | others
    assert not unreadable
    assert photo.thumb.shape == (64, 64) and photo.tint.shape == (8, 8, 3)


def test_a_usual_photo_is_not_odd(tmp_path):
    drawing(0).save(tmp_path / "a.JPG")
    drawing(0).resize((299, 100)).save(tmp_path / "b.webp")
    seen, _ = see(tmp_path / "a.JPG", tmp_path / "b.webp")
    assert [photo.odd for photo in seen] == [(), ()]
    assert [photo.size for photo in seen] == [(240, 180), (299, 100)]


def test_a_grey_photo_in_three_channels_is_grey(tmp_path):
    drawing(0).convert("L").convert("RGB").save(tmp_path / "a.jpg")
    (photo,), _ = see(tmp_path / "a.jpg")
    assert photo.odd == ("grey",)


def test_a_folder_of_hostile_files_gives_a_reason_each_and_never_hangs(tmp_path):
    drawing(0).save(tmp_path / "good.jpg")
    content = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "link.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    names = ["cut.jpg", "empty.jpg", "text.jpg", "link.jpg", "pipe.jpg", "folder.jpg", "missing.jpg"]
    odd_names = ["a 'quoted' \"name\".jpg", "two\nlines.jpg", os.fsdecode(b"caf\xe9.jpg"), "一只狗.jpg"]
    for name in odd_names:
        (tmp_path / name).write_bytes(content)
    seen, unreadable = see(*(tmp_path / name for name in [*names, "good.jpg", *odd_names]))
    assert [name for name, _ in unreadable] == names
    assert LeftOut("cut.jpg", "truncated") in unreadable and LeftOut("empty.jpg", "empty file") in unreadable
    for name, reason in unreadable:  # the words are the reader's own
        with pytest.raises(InputError, match=re.escape(reason)):
            open_image(tmp_path / name)
    assert [photo.record.image_id for photo in seen] == ["good.jpg", *odd_names]
    assert len({photo.digest for photo in seen}) == 1


@pytest.mark.slow
def test_a_giant_jpeg_that_training_reads_is_read_here_too(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "giant.jpg")
    content = bytearray((tmp_path / "giant.jpg").read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 30_000, 30_000)
    (tmp_path / "giant.jpg").write_bytes(content)
    (photo,), unreadable = see(tmp_path / "giant.jpg")
    assert photo.size == (30_000, 30_000) and "huge" in photo.odd and not unreadable


def test_photos_keep_their_order_however_many_there_are(tmp_path):
    for number in range(40):
        drawing(number, (70, 60)).save(tmp_path / f"{number:02}.png")
    paths = sorted(tmp_path.iterdir())
    seen, _ = see(*paths)
    assert [photo.record.path for photo in seen] == paths
