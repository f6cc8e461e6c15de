"""The page of explanations in a real browser: words show their maps, places show their words, by mouse and by keys."""

import json
import re

import pytest
import torch
from PIL import Image

from showtell.explain.explanation import Deletion, Explanation
from showtell.features import grid_boxes
from showtell.report.explained_page import photo_of, write_explained
from tests.chromium import chromium, opened, violations

pytestmark = pytest.mark.slow  # a browser starts

WORDS = ["a", "red", "star", "of", "the", "sea"]


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    """A page with two photos; in the first, word number n came from cell number n of 2 x 3."""
    boxes = grid_boxes(2, 3, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0]
    deletion = Deletion(0.2, torch.arange(6.0) / 4, torch.full((6,), 0.02))
    likely = torch.full((6,), 0.5).log()
    found = Explanation(WORDS, torch.eye(6), boxes, " ".join(WORDS), "relevance", "relevance", likely, deletion)
    hostile = ["<script>alert(1)</script>", '"dog"', "</p>"]
    other = Explanation(hostile, torch.eye(3), boxes[:3], " ".join(hostile))
    image = Image.new("RGB", (90, 60), "teal")
    shown = [photo_of("star.jpg", image, found), photo_of("<b>.jpg", image, other)]
    path = tmp_path_factory.mktemp("page") / "explained.html"
    return write_explained(path, "tiny", shown, "relevance", 2)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser, page_path):
    with opened(browser, page_path) as found:
        yield found


def button(page, word):
    return page.locator(".photo").first.get_by_role("button", name=word, exact=True)


def mapped(page):
    """The word whose map lies over the first photo, or None."""
    view = page.locator(".view").first
    shown = view.evaluate(
        "(view) => view.classList.contains('mapped') && getComputedStyle(view.querySelector('.light')).display"
    )
    if shown != "block":
        return None
    data = json.loads(page.locator("script[type='application/json']").first.text_content())
    map_now = view.evaluate("(view) => view.style.getPropertyValue('--map')")
    (word,) = [each["text"] for each in data["words"] if each["map"] in map_now]
    return word


def says(page):
    return page.locator(".says").first.text_content()


def test_pointing_at_a_word_shows_its_map_and_what_it_costs(page):
    assert mapped(page) is None
    button(page, "star").hover()
    assert mapped(page) == "star"
    assert "star: The model wrote it with a probability of 0.50" in says(page)
    assert "20 % of the photo that it points at costs 0.50" in says(page) and "a random 20 % costs 0.02" in says(page)
    page.mouse.move(1, 1)
    assert mapped(page) is None


def test_a_click_keeps_the_map_and_a_second_one_lets_it_go(page):
    button(page, "sea").click()
    page.mouse.move(1, 1)
    page.evaluate("document.activeElement.blur()")
    assert mapped(page) == "sea" and button(page, "sea").get_attribute("aria-pressed") == "true"
    button(page, "red").hover()
    assert mapped(page) == "red"
    page.mouse.move(1, 1)
    assert mapped(page) == "sea"
    button(page, "sea").click()
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(1, 1)
    assert mapped(page) is None


def test_pointing_at_a_place_lights_up_the_words_that_came_from_it(page):
    box = page.locator(".view").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.75)  # the fifth cell: word number 4
    assert "Here: the (100 %)" in says(page)
    lit = (
        page.locator(".photo")
        .first.locator("button")
        .evaluate_all("(all) => all.map((button) => button.style.getPropertyValue('--here'))")
    )
    assert lit == ["0.00", "0.00", "0.00", "0.00", "1.00", "0.00"]
    part = page.locator(".part").first.bounding_box()
    assert part["x"] - box["x"] == pytest.approx(box["width"] / 3, abs=2)
    page.mouse.move(1, 1)
    assert "Point at a word" in says(page)


def test_all_works_with_keys_alone(page):
    page.locator(".view").first.focus()
    page.keyboard.press("ArrowRight")  # begins in the middle
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert "Here: of (100 %)" in says(page)  # the lower left cell is word number 3
    page.keyboard.press("Escape")
    assert "Point at a word" in says(page)
    page.keyboard.press("Tab")
    assert mapped(page) == "a"
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert mapped(page) == "star"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert mapped(page) == "star"  # the focused word
    page.evaluate("document.activeElement.blur()")
    assert mapped(page) == "red"  # the kept one


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_everybody_can_use_the_page(browser, page_path, scheme, width):
    with opened(browser, page_path, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        assert violations(page) == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width  # nothing sticks out of a phone
        button(page, "star").click()
        assert violations(page) == []


def test_texts_of_captions_and_names_are_only_text(page):
    second = page.locator(".photo").nth(1)
    assert second.locator("button").all_text_contents() == ["<script>alert(1)</script>", '"dog"', "</p>"]
    assert second.locator("h2").text_content() == "<b>.jpg"
    assert page.evaluate("document.querySelectorAll('script').length") == 3  # two of data, one of the page


def test_the_page_names_its_script_and_allows_no_other(page_path):
    text = page_path.read_text("utf-8")
    (rule,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert rule.startswith("default-src 'none'") and "script-src 'sha256-" in rule and "unsafe-eval" not in rule
    assert "http" not in text.replace("http-equiv", "")


def test_a_page_of_some_photos_says_so(tmp_path, page_path):
    image = Image.new("RGB", (9, 6))
    found = Explanation([], torch.zeros(0, 6), grid_boxes(2, 3, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))[0], "")
    write_explained(tmp_path / "page.html", "tiny", [photo_of("a.jpg", image, found)], "occlusion", 7)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "the first 1 of 7 photos" in text and "(no words)" in text
