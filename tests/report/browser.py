"""Debian's chromium, driven by Playwright's library; tests that need it are skipped with a reason if it is not here."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window. One for a module: it takes a second to start."""
    library = pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install playwright")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with library.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, *, colour: str = "light", size: dict[str, int] = WIDE, free: bool = False) -> Any:
    """A page in its own window. At the end it has asked for nothing outside, and its console is empty.

    `free` turns the page's policy off, for a test that brings its own script.
    """
    context = browser.new_context(viewport=size, color_scheme=colour, bypass_csp=free)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith("data:") else None)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert asked == [path.as_uri()]
    assert said == []


def violations(page: Any) -> list[str]:
    """What axe-core finds: rule, and where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="holds axe-core")
    found = axe.Axe().run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {[node['target'] for node in rule['nodes'][:3]]} {rule['help']}" for rule in found]
