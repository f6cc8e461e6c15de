"""The PDF of a report: text that can be selected, figures as vectors, and no caption read as markup."""

import pytest
from PIL import Image

from showtell.report.figures import data_uri, image_png
from showtell.report.page import Card, Cell, Figure, Section
from showtell.report.runs.pdf import pdf
from showtell.report.runs.sections import Asked, sections, without_script

typst = pytest.importorskip("typst", reason="the PDF needs the extra 'pdf'")
pdfium = pytest.importorskip("pypdfium2", reason="reads the PDF back")


def texts(content: bytes) -> str:
    document = pdfium.PdfDocument(content)
    return " ".join(page.get_textpage().get_text_bounded() for page in document)


def test_what_looks_like_markup_is_text():
    evil = '#image("x") $a^2$ *bold* `code` @ref <label> \\ // "quotes"'
    made = texts(pdf(evil, evil, [Section(evil, evil, [(evil, evil)], [["a", "b"], [evil, Cell("1", evil, "best")]])]))
    assert made.replace("\u201c", '"').replace("\u201d", '"').count("*bold* `code`") >= 6


def test_words_of_any_script_are_kept():
    assert "Äpfel und Öl" in texts(pdf("Äpfel und Öl", "", []))


@pytest.mark.slow
def test_a_report_has_selectable_text_and_vector_figures(found, looks):
    parts = without_script(sections(found, Asked(looks)))
    document = pdfium.PdfDocument(pdf("Title", "Lead", parts))
    text = " ".join(page.get_textpage().get_text_bounded() for page in document)
    for words in ("The runs side by side", "What scores hide", "frozen", "Recipe of trained"):
        assert words in text
    kinds = [each.type for page in document for each in page.get_objects()]
    assert kinds.count(pdfium.raw.FPDF_PAGEOBJ_PATH) > 50
    assert kinds.count(pdfium.raw.FPDF_PAGEOBJ_IMAGE) > 5


def test_a_picture_is_embedded_once_for_each_card():
    dot = data_uri(image_png(Image.new("RGB", (4, 3), "red")))
    cards = [Card(dot, "a.png", "a star", ["a red star"]), Card("", "b.png", captions=[("run", "none")], note="empty")]
    part = Section("Photos", cards=cards, figure=Figure(dot, dot, "a dot"))
    text = texts(pdf("T", "L", [part]))
    assert "a red star" in text and "b.png" in text and "empty" in text
