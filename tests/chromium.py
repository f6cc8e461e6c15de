"""A real browser for tests of pages: Debian's chromium, driven by Playwright. Without one, the tests are skipped."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """A started browser. Skips the test, with the reason, if there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'showtell[dev]'")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no browser: apt-get install chromium")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, **options: Any) -> Iterator[Any]:
    """The page in a window of its own. Fails if it says anything on the console, or asks for another file or host.

    `page.violations()` are those of axe-core, as (rule, elements).
    """
    context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("request", lambda request: wrong.append(f"asked for: {request.url[:80]}"))
    page.goto(path.as_uri())
    yield page
    context.close()
    asked = [line for line in wrong if "data:" not in line and line != f"asked for: {path.as_uri()[:80]}"]
    assert not asked, asked


def violations(page: Any) -> list[tuple[str, list[str]]]:
    """What axe-core finds wrong: contrast, names of buttons, order of headings, .."""
    axe = pytest.importorskip("axe_playwright_python", reason="axe is not installed: pip install 'showtell[dev]'")
    script = Path(axe.__file__).parent / "axe.min.js"
    page.evaluate(script.read_text("utf-8"))
    found = page.evaluate("axe.run().then((result) => result.violations)")
    return [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found]
