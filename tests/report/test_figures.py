"""Attention figures and loss curves: what stands in them, how large they are, and that they can be embedded."""

import base64
import io

import matplotlib
import pytest
import torch
from PIL import Image

from showtell.explain.explanation import Explanation
from showtell.features import grid_boxes
from showtell.report.figures import attention_figure, data_uri, loss_figure, picture_uri, png

ROWS = [
    {"step": 20, "epoch": 0, "loss": 3.0},
    {"step": 20, "event": "resumed"},
    {"step": 40, "epoch": 1, "loss": 2.0, "val_loss": 2.5},
    {"step": 60, "epoch": 1, "loss": 1.5},
    {"step": 80, "epoch": 2, "loss": 1.25, "val_loss": 2.25},
]


def explanation(text: str) -> Explanation:
    words = text.split()
    maps = torch.softmax(torch.randn(len(words), 6, generator=torch.Generator().manual_seed(0)), -1)
    return Explanation(words, maps, grid_boxes(2, 3, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0], text)


def size(figure) -> tuple[int, int]:
    return Image.open(io.BytesIO(png(figure))).size


def columns(figure) -> int:
    return len({round(axes.get_position().x0, 4) for axes in figure.axes})


def test_the_photo_comes_first_and_then_a_panel_for_each_word():
    figure = attention_figure(Image.new("RGB", (60, 40), "white"), explanation("a red star"))
    assert [axes.get_title() for axes in figure.axes] == ["", "a", "red", "star"]
    assert [text.get_text() for text in figure.texts] == ["a red star"]


@pytest.mark.parametrize("photo", [(600, 400), (400, 600), (2000, 200), (100, 900)])
@pytest.mark.parametrize("words", [1, 14, 40])
def test_figures_of_any_photo_fit_a_page_and_no_panel_leaves_it(photo, words):
    figure = attention_figure(Image.new("RGB", photo), explanation("word " * words))
    width, height = figure.get_size_inches()
    assert width <= 11.7
    assert height <= 24
    assert columns(figure) <= 12
    for axes in figure.axes:
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1


def test_a_wide_photo_has_fewer_panels_in_a_row_than_a_tall_one():
    said = explanation("a red star is left of a blue heart and over it")
    wide, tall = (attention_figure(Image.new("RGB", photo), said) for photo in [(60, 40), (40, 60)])
    assert columns(wide) < columns(tall) <= 12


def test_panels_do_not_cover_each_other():
    figure = attention_figure(Image.new("RGB", (60, 40)), explanation("a red star is left of a blue heart"))
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_long_word_is_cut_to_its_panel():
    figure = attention_figure(Image.new("RGB", (40, 60)), explanation("a characteristicallylongword"))
    assert figure.axes[2].get_title() == "characteri…"


def test_an_empty_caption_is_said_to_be_empty():
    figure = attention_figure(Image.new("RGB", (60, 40)), explanation(""))
    assert [text.get_text() for text in figure.texts] == ["(no words)"]
    assert len(figure.axes) == 1


def test_dollars_and_braces_are_no_formula():
    assert size(attention_figure(Image.new("RGB", (60, 40)), explanation("a $\\frac{ star$")))[0] > 100


def test_loss_curves_leave_out_what_is_no_loss():
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss_figure({"run": ROWS}).axes[0].lines}
    assert lines == {
        "training": [[20, 3.0], [40, 2.0], [60, 1.5], [80, 1.25]],
        "validation": [[40, 2.5], [80, 2.25]],
    }


def test_several_runs_are_told_apart_by_name_and_colour():
    axes = loss_figure({"bern-1": ROWS, "bern-2": ROWS}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["bern-1", "bern-2"]
    assert len({line.get_color() for line in axes.lines}) == 2


def test_a_run_without_any_rows_gives_an_empty_figure():
    assert size(loss_figure({"run": []})) == size(loss_figure({"run": ROWS}))


def test_the_dark_figure_is_dark():
    light, dark = (Image.open(io.BytesIO(png(loss_figure({"run": ROWS}, theme)))) for theme in ("light", "dark"))
    assert min(light.convert("RGB").getpixel((2, 2))) > 200
    assert max(dark.convert("RGB").getpixel((2, 2))) < 60


def test_figures_leave_no_trace_in_pyplot():
    before = matplotlib.get_backend()
    png(loss_figure({"run": ROWS}))
    assert matplotlib.get_backend() == before


def test_a_data_uri_holds_the_picture():
    kind, _, content = picture_uri(Image.new("RGB", (30, 20), "red")).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (30, 20)
    assert data_uri(b"\x01\x02") == "data:image/png;base64,AQI="
