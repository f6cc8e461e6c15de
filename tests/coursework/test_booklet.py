"""A report as PDF: pieces below each other, and a new page for what does not fit."""

import pytest
from PIL import Image

from showtell.coursework.booklet import BOTTOM, LINE, Booklet
from showtell.coursework.hand_in import Places, pages
from showtell.coursework.sections import two_curves


@pytest.mark.slow
def test_pieces_that_do_not_fit_begin_a_new_page(tmp_path):
    with Booklet(tmp_path / "r.pdf") as book:
        book.title("A title with $dollars$")
        book.text("words " * 50)
        book.table(["run", "CIDEr"], [["a", "1.0"], ["b", "0.5"]])
        book.question("Why?")
        assert book.count == 1
        book.photos([(Image.new("RGB", (30, 20)), "one\ntwo")] * 12)
        book.figure(two_curves([{"epoch": 1, "loss": 2.0, "val_loss": 3.0, "METEOR": 0.1}], "METEOR"))
        book.picture(Image.new("RGB", (10, 400)))
        assert book.count == 3
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")
    assert not list(pages("*.pdf", 3)(Places(tmp_path))) and list(pages("*.pdf", 2)(Places(tmp_path)))


def test_long_titles_wrap_and_a_picture_keeps_its_name_on_its_page(tmp_path):
    with Booklet(tmp_path / "r.pdf") as book:
        book.title("problem 1, zero-shot classification with CLIP " * 2)
        assert len(book.page.texts) == 2
        book.free = BOTTOM + 2 * LINE
        book.picture(Image.new("RGB", (30, 20)), above="bike.jpg")
        assert [text.get_text() for text in book.page.texts] == ["bike.jpg"]


def test_a_report_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), Booklet(tmp_path / "r.pdf") as book:
        book.text(str(1 / 0))
    assert not list(tmp_path.iterdir())
