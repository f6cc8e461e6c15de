"""A strip of maps: what stands in it, how large it is, and what it says of its maps."""

import io

import pytest
import torch
from matplotlib.offsetbox import TextArea
from PIL import Image

from showtell.explain.explanation import Deletion, Explanation
from showtell.features import grid_boxes
from showtell.report.figures import png
from showtell.report.heat import BORDER, are_regions, outlined
from showtell.report.strip import attention_figure


def explanation(text: str) -> Explanation:
    words = text.split()
    maps = torch.softmax(torch.randn(len(words), 6, generator=torch.Generator().manual_seed(0)), -1)
    return Explanation(words, maps, grid_boxes(2, 3, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0], text)


def size(figure) -> tuple[int, int]:
    return Image.open(io.BytesIO(png(figure))).size


def columns(figure) -> int:
    return len({round(axes.get_position().x0, 4) for axes in figure.axes})


def titles(figure) -> list[list[str]]:
    """The texts above each panel, from left to right."""
    return [[area.get_text() for area in axes.findobj(TextArea)] for axes in figure.axes]


def scored(text: str, falls: list[float], chance: float = 0.02) -> Explanation:
    deletion = Deletion(0.2, torch.tensor(falls), torch.full((len(falls),), chance))
    return explanation(text)._replace(deletion=deletion, manner="relevance (attention × gradient)")


def test_the_photo_comes_first_and_function_words_share_a_panel():
    figure = attention_figure(Image.new("RGB", (60, 40), "white"), explanation("a star of the sea ."))
    assert titles(figure) == [[], ["a", "star"], ["of the", "sea", "."]]
    assert figure.texts[0].get_text() == "a star of the sea ."


def test_chosen_words_have_panels_for_themselves():
    figure = attention_figure(Image.new("RGB", (60, 40), "white"), explanation("a star of the sea"), [3, 4])
    assert titles(figure) == [[], ["the"], ["sea"]]


def test_below_a_panel_stands_what_masking_its_places_costs():
    figure = attention_figure(Image.new("RGB", (60, 40)), scored("a red star", [0.1, 1.204, -0.3]))
    below = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert below == [[], ["costs 1.20, random 0.02"], ["costs −0.30, random 0.02"]]
    notes = " ".join(figure.texts[1].get_text().split())
    assert "relevance (attention × gradient)" in notes  # the picture says which method it is
    assert "costs these words 0.45 of log-probability on average, a random fifth 0.02" in notes  # (1.204 - .3) / 2


def test_regions_are_drawn_with_their_borders_and_cells_of_a_grid_are_not():
    boxes = torch.tensor([[0.1, 0.1, 0.9, 0.5], [0.3, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0]])
    assert are_regions(boxes)
    assert not are_regions(grid_boxes(7, 7, torch.tensor([[0.1, 0.0, 0.9, 1.0]]))[0])
    picture = Image.new("RGB", (100, 100))
    drawn = outlined(picture, torch.tensor([0.9, 0.1, 0.0]), boxes, count=1)
    assert drawn.getpixel((50, 10)) == BORDER and drawn.getpixel((30, 80)) == (0, 0, 0)
    assert picture.getpixel((50, 10)) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("photo", [(600, 400), (400, 600), (2000, 200), (100, 900)])
@pytest.mark.parametrize("words", [1, 14, 40])
def test_figures_of_any_photo_fit_a_page_and_no_panel_leaves_it(photo, words):
    figure = attention_figure(Image.new("RGB", photo), explanation("dogword " * words))
    width, height = figure.get_size_inches()
    assert width <= 11.7
    assert height <= 24
    assert columns(figure) <= 12
    for axes in figure.axes:
        box = axes.get_position()
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1


@pytest.mark.slow
def test_a_wide_photo_has_fewer_panels_in_a_row_than_a_tall_one():
    said = explanation("red star left blue heart green circle black square star")
    wide, tall = (attention_figure(Image.new("RGB", photo), said) for photo in [(60, 40), (40, 60)])
    assert columns(wide) < columns(tall) <= 12


def test_panels_do_not_cover_each_other():
    figure = attention_figure(Image.new("RGB", (60, 40)), explanation("a red star is left of a blue heart"))
    boxes = [axes.get_position() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_long_word_is_cut_to_its_panel():
    figure = attention_figure(Image.new("RGB", (40, 60)), explanation("a characteristicallylongword"))
    (word,) = titles(figure)[1][-1:]
    assert word.startswith("charact") and word.endswith("…") and len(word) < 20


def test_an_empty_caption_is_said_to_be_empty():
    figure = attention_figure(Image.new("RGB", (60, 40)), explanation(""))
    assert figure.texts[0].get_text() == "(no words)"
    assert len(figure.axes) == 1


def test_dollars_and_braces_are_no_formula():
    assert size(attention_figure(Image.new("RGB", (60, 40)), explanation("a $\\frac{ star$")))[0] > 100
