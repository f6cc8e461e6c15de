"""The pages of `report` and `compare` in a real browser: what moves, what screen readers hear, what is printed."""

import itertools

import pytest

from showtell.report.compared import write_comparison
from showtell.report.runs.write import report_runs
from showtell.scoring.comparison import compare
from tests.report.browser import NARROW, WIDE, chromium, opened, violations
from tests.report.runs.conftest import scored as scored
from tests.scoring.test_comparison import KNOWN, TWO

pytestmark = pytest.mark.slow
LOOKS = list(itertools.product(("light", "dark"), (WIDE, NARROW)))


@pytest.fixture(scope="module")
def browser():
    with chromium() as program:
        yield program


@pytest.fixture(scope="module")
def report(browser, scored, tmp_path_factory):
    out = tmp_path_factory.mktemp("pages") / "report"
    return report_runs(scored.all, out, maps=["frozen"])[0]


@pytest.fixture(scope="module")
def compared(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "compare.html"
    write_comparison(path, compare(TWO, KNOWN, "CIDEr-D,BLEU,CHAIRs,length"), "showtell compare good bad")
    return path


def column(page, table, number):
    return page.locator(f"{table} tbody tr :nth-child({number})").locator("xpath=self::th|self::td").all_inner_texts()


@pytest.mark.parametrize(("colour", "size"), LOOKS, ids=[f"{c}-{s['width']}" for c, s in LOOKS])
def test_everybody_can_use_the_report(browser, report, colour, size):
    with opened(browser, report, colour=colour, size=size, free=True) as page:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("colour", ["light", "dark"])
def test_figures_fill_their_frames(browser, report, compared, colour):
    """Without empty space above and below: their height is that of the picture at this width."""
    for path in (report, compared):
        with opened(browser, path, colour=colour, free=True) as page:
            found = page.evaluate(
                "[...document.querySelectorAll('.figure > img')].filter(e => e.offsetWidth)"
                ".map(e => [e.clientHeight, e.clientWidth * e.naturalHeight / e.naturalWidth])"
            )
        assert found and all(height == pytest.approx(wanted, abs=2) for height, wanted in found)


@pytest.mark.parametrize("colour", ["light", "dark"])
def test_everybody_can_use_a_comparison(browser, compared, colour):
    with opened(browser, compared, colour=colour, free=True) as page:
        assert violations(page) == []


def test_a_click_on_a_columns_name_sorts_by_it(browser, report):
    with opened(browser, report) as page:
        table = page.locator("table.sortable").nth(1)
        head = table.locator("thead th", has_text="CIDEr-D")
        place = 1 + table.locator("thead th").all_inner_texts().index(head.inner_text())

        def values():
            cells = table.locator(f"tbody tr > :nth-child({place})")
            return [float(text.split()[0]) for text in cells.all_inner_texts()]

        head.locator("button").click()
        assert values() == sorted(values(), reverse=True) and head.get_attribute("aria-sort") == "descending"
        head.locator("button").press("Enter")
        assert values() == sorted(values()) and head.get_attribute("aria-sort") == "ascending"
        names = table.locator("thead th").first
        names.locator("button").click()
        runs = table.locator("tbody tr > :first-child").all_inner_texts()
        assert runs == sorted(runs, reverse=True) or runs == sorted(runs)
        assert head.get_attribute("aria-sort") is None


def test_curves_can_be_chosen_hidden_and_read(browser, report):
    with opened(browser, report) as page:
        chart = page.locator(".chart")
        assert chart.locator("path").count() == 4  # two trainings: training and validation loss
        chart.get_by_label("Metric").select_option("CIDEr-D")
        assert chart.locator("path").count() == 2
        chart.get_by_label("x axis").select_option("seconds")
        chart.get_by_role("button", name="trained").click()
        assert chart.locator("path").count() == 1
        assert chart.get_by_role("button", name="trained").get_attribute("aria-pressed") == "false"
        chart.locator("circle:not(.here)").first.hover(force=True)
        assert "frozen" in chart.locator(".says").inner_text()
        chart.locator("svg").press("ArrowRight")
        assert "frozen" in chart.locator(".says").inner_text() and "seconds" in chart.locator(".says").inner_text()


def test_the_explorer_sorts_filters_and_searches(browser, report):
    with opened(browser, report) as page:
        explorer = page.locator(".explorer")
        says, cards = explorer.locator(".says"), explorer.locator(".card")
        assert says.inner_text() == "6 of 6 photos shown" and cards.count() == 6
        explorer.get_by_label("Run").select_option("human")
        explorer.get_by_label("Order").select_option("by name")
        names = cards.locator(".name").all_inner_texts()
        assert names == sorted(names)
        explorer.get_by_label("Score").select_option("length")
        explorer.get_by_label("Order").select_option("best first")
        lengths = [float(text.split("length ")[1].split()[0]) for text in cards.locator(".whose").all_inner_texts()]
        assert lengths == sorted(lengths, reverse=True)
        assert cards.first.locator("img").evaluate("image => image.naturalWidth") > 50
        explorer.get_by_label("Run").select_option("greedy")
        explorer.get_by_label("Failure").select_option("cut")
        assert cards.count() > 0 and cards.locator(".fault", has_text="cut").count() == cards.count()
        explorer.get_by_label("Failure").select_option("")
        explorer.get_by_label("Search").fill(names[2])
        assert cards.count() == 1 and says.inner_text() == "1 of 1 photos shown"
        explorer.get_by_label("Search").fill("no such word")
        assert cards.count() == 0


def test_a_long_list_grows_by_a_button(browser, compared):
    with opened(browser, compared) as page:
        cards, more = page.locator(".explorer .card"), page.locator(".more")
        assert cards.count() == 12 and more.inner_text() == "Show 12 more"
        more.click()
        assert cards.count() == 24
        for _ in range(3):
            more.click()
        assert cards.count() == len(KNOWN) and more.is_hidden()


def test_without_a_script_everything_but_the_explorer_is_there(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".chart img").first.is_visible() and page.locator(".cards .card").count() > 0
    context.close()


def test_paper_shows_no_controls_and_no_dark_ground(browser, report):
    with opened(browser, report, colour="dark") as page:
        page.emulate_media(media="print")
        assert not page.locator(".controls").first.is_visible()
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        assert page.pdf()[:5] == b"%PDF-"


def test_a_caption_that_is_a_script_stays_text(browser, tmp_path):
    evil = '</script><img src=x onerror="document.title=1"><b>bold</b>'
    runs = {name: dict(captions) for name, captions in TWO.items()}
    runs["bad"] = dict.fromkeys(KNOWN, evil)
    write_comparison(tmp_path / "page.html", compare(runs, KNOWN, "BLEU-1"))
    with opened(browser, tmp_path / "page.html") as page:
        assert page.title() == "Captions compared" and evil in page.locator(".explorer").inner_text()
        assert page.locator(".explorer b").count() == 0
