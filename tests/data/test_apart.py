"""Photos that may take long or fill the memory: found by their headers, decoded in a process that can be ended."""

from io import BytesIO

import pytest
from PIL import Image

from showtell.data import apart, images
from showtell.data.images import open_image
from showtell.plumbing.errors import Unreadable


def scans(path, times):
    """A progressive JPEG that repeats its last scan."""
    written = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(written, "JPEG", progressive=True)
    content = written.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + last * times + content[-2:])


def test_a_jpeg_of_many_scans_is_ended_and_one_of_few_is_no_case(tmp_path, monkeypatch):
    scans(tmp_path / "many.jpg", 9000)
    scans(tmp_path / "few.jpg", 1)
    monkeypatch.setattr(apart, "SECONDS", 0.01)
    with pytest.raises(Unreadable, match="takes too long to decode"):
        open_image(tmp_path / "many.jpg")
    assert open_image(tmp_path / "few.jpg").size == (256, 256)


@pytest.mark.slow
def test_a_picture_comes_out_of_the_process_as_it_is_made_here(tmp_path, monkeypatch):
    image = Image.linear_gradient("L").convert("RGB")
    image.putpixel((3, 5), (255, 0, 9))
    image.save(tmp_path / "a.png")
    here = open_image(tmp_path / "a.png")
    monkeypatch.setattr(apart, "LARGE_FILE", 10)
    upload = BytesIO((tmp_path / "a.png").read_bytes())
    for there in (open_image(tmp_path / "a.png"), images.read_image(upload, None, images.FORMATS)):
        assert there.tobytes() == here.tobytes() and there.size == here.size
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with pytest.raises(Unreadable, match="truncated"):
        open_image(tmp_path / "b.png")


def test_a_webp_is_refused_by_its_header_where_its_decoder_would_fill_the_memory(tmp_path, monkeypatch):
    Image.new("RGB", (60, 50)).save(tmp_path / "a.webp")
    monkeypatch.setattr(images, "MAX_WEBP", 2999)
    with pytest.raises(Unreadable, match="too large"):
        open_image(tmp_path / "a.webp")
