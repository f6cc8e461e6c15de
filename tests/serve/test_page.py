"""The page in Chromium: photos by choosing, dropping and pasting; words by mouse and keyboard; wrong files; JSON."""

import base64
import json

import pytest

from tests.chromium import chromium, violations
from tests.serve.running import encoded, photo, running, small_models

pytestmark = pytest.mark.slow  # a browser starts

GOOD = {"name": "dots.png", "mimeType": "image/png", "buffer": encoded()}
BAD = {"name": "page.jpg", "mimeType": "image/jpeg", "buffer": b"<!doctype html>"}
HAND_OVER = """([type, data, name]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  const event = type === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.querySelector("#drop").dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server():
    with running(lambda: small_models("one", "two")) as client:
        yield client


@pytest.fixture
def page(browser, server):
    context = browser.new_context(viewport={"width": 900, "height": 700})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong, hosts = [], set()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(str(server.base_url))
    yield page
    context.close()
    assert wrong == [] and len({host for host in hosts if host}) == 1


def hand_over(page, kind, content=None, name="dots.png"):
    page.evaluate(HAND_OVER, [kind, base64.b64encode(content or encoded()).decode(), name])


@pytest.mark.parametrize("kind", ["choose", "drop", "paste"])
def test_a_photo_gets_a_caption_of_each_model(page, server, kind):
    page.set_input_files("#files", [GOOD]) if kind == "choose" else hand_over(page, kind)
    page.locator(".caption").nth(1).wait_for()
    wanted = server.post("/v1/caption", files={"file": encoded()}).json()["captions"][0]["text"]
    for place in range(2):
        assert page.locator(".caption").nth(place).inner_text().split() == wanted.split()
        assert "Log-probability" in page.locator(".facts").nth(place).inner_text()
    assert page.locator(".model").all_inner_texts() == ["one", "two"]


def test_words_show_their_maps_by_mouse_and_by_keyboard(page):
    page.set_input_files("#files", [GOOD])
    page.locator(".caption").nth(1).wait_for()
    words, map_, facts = page.locator(".word"), page.locator("canvas"), page.locator(".facts").first
    assert not map_.is_visible()
    words.nth(0).hover()
    assert map_.is_visible() and "percent" in facts.inner_text()
    page.mouse.move(0, 0)
    assert not map_.is_visible()
    words.nth(0).focus()
    drawn = map_.evaluate("canvas => canvas.toDataURL()")
    page.keyboard.press("ArrowRight")
    assert words.nth(1).evaluate("word => word === document.activeElement")
    assert map_.is_visible() and map_.evaluate("canvas => canvas.toDataURL()") != drawn
    page.keyboard.press("Escape")
    assert not map_.is_visible()
    page.keyboard.press("Shift+Tab")
    assert words.nth(0).evaluate("word => word === document.activeElement") and map_.is_visible()


def test_a_screen_reader_hears_words_captions_and_news(page):
    page.set_input_files("#files", [GOOD])
    page.locator(".caption").nth(1).wait_for()
    label = page.locator(".word").first.get_attribute("aria-label")
    assert "percent" in label and "looked at the" in label
    assert page.locator(".caption").first.get_attribute("aria-label").startswith("Caption: ")
    assert page.locator(".picture img").get_attribute("alt") == "Your photo dots.png"
    page.wait_for_timeout(100)
    assert "1 photo captioned" in page.get_by_role("status").inner_text()
    for field in page.locator("input, select").all():
        assert field.evaluate("field => field.labels.length") == 1


def test_a_wrong_file_is_one_clear_line_and_the_others_are_captioned(page):
    page.set_input_files("#files", [BAD, GOOD])
    page.locator(".wrong").first.wait_for()
    page.locator(".caption").nth(1).wait_for()
    assert "page.jpg: not an image" in page.locator(".wrong").first.inner_text()
    assert page.locator(".card").count() == 2


def test_settings_change_the_captions(page):
    page.set_input_files("#files", [GOOD])
    page.locator(".caption").nth(1).wait_for()
    page.click("#settings > summary")
    page.get_by_label("Must be said").fill("heart, blue")
    page.click("#again")
    page.locator(".waiting").wait_for(state="detached")
    page.locator(".caption").nth(1).wait_for()
    assert {"heart", "blue"} <= {*page.locator(".caption").first.inner_text().split()}
    page.get_by_label("Must be said").fill("zebra")
    page.click("#again")
    page.locator(".wrong").first.wait_for()
    assert "vocabulary" in page.locator(".wrong").first.inner_text()
    page.select_option("#strategy", "sample")
    assert page.get_by_label("Temperature").is_visible() and page.get_by_label("Must be said").is_disabled()


def test_all_captions_are_downloaded_as_json(page, tmp_path):
    page.set_input_files("#files", [GOOD])
    page.locator(".caption").nth(1).wait_for()
    with page.expect_download() as loaded:
        page.click("#download")
    loaded.value.save_as(tmp_path / "captions.json")
    (row,) = json.loads((tmp_path / "captions.json").read_text())
    assert row["file"] == "dots.png" and [each["model"] for each in row["answers"]] == ["one", "two"]
    assert row["answers"][0]["words"][0].keys() == {"word", "log_prob"} and row["answers"][0]["alternatives"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(browser, server, scheme):
    context = browser.new_context(viewport={"width": 360, "height": 640}, color_scheme=scheme)
    page = context.new_page()
    page.goto(str(server.base_url))
    page.set_input_files("#files", [{**GOOD, "buffer": encoded(photo(2, (300, 90)))}])
    page.locator(".caption").nth(1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    light = page.evaluate("getComputedStyle(document.body).backgroundColor").startswith("rgb(246")
    assert light == (scheme == "light")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 360])
def test_everybody_can_use_the_page(browser, server, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 640}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(str(server.base_url))
    page.set_input_files("#files", [BAD, GOOD])
    page.locator(".caption").nth(1).wait_for()
    page.locator(".wrong").nth(1).wait_for()
    page.click("#settings > summary")
    found = violations(page)
    context.close()
    assert found == []
