"""The page shows what it is given, escaped, and asks nothing of the network."""

import re
from html.parser import HTMLParser

from showtell.report.page import Card, Figure, Looked, Number, Section, render, write_page

DOT = "data:image/png;base64,AQI="
EVIL = "<script>alert('x')</script> & \"quotes\""
SECTIONS = [
    Section("Numbers", EVIL, numbers=[Number(EVIL, EVIL, EVIL), Number("BLEU-4", "0.123")]),
    Section(
        "All",
        figure=Figure(DOT + "light", DOT + "dark", EVIL),
        cards=[
            Card(DOT, EVIL, EVIL),
            Card(DOT, "b.png", "a red star", [EVIL, "a star"], right=False, note=EVIL),
            Card(DOT, "c.png", "a blue star", ["a star"], right=True),
        ],
        looked=[Looked(DOT, EVIL, EVIL, [(EVIL, DOT), ("star", DOT)])],
        protocol=[(EVIL, EVIL), ("seed", "0")],
    ),
]
VOID = {"meta", "link", "img", "source", "br", "hr"}


class Reader(HTMLParser):
    """All tags with their attributes, all text but scripts; every tag that opens closes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["script"]:
            self.text += data


def test_text_is_escaped_everywhere():
    html = render(EVIL, EVIL, SECTIONS)
    page = Reader(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in html
    assert page.text.count("alert('x')") == 16


def test_nothing_outside_is_asked_for():
    html = render("Title", "Lead", SECTIONS)
    assert not re.search(r"(https?:)?//|url\(|@import", html)
    for _, attributes in Reader(html).tags:
        for name in ("src", "srcset", "href"):
            assert attributes.get(name, "data:").startswith("data:")


def test_the_browser_is_forbidden_to_ask_for_anything():
    policies = [a for _, a in Reader(render("T", "L", [])).tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0]["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_captions_stand_beside_references_with_the_verdict():
    html = render("Title", "Lead", SECTIONS)
    assert re.findall(r'<span class="verdict (\w+)">(\w+)</span>', html) == [("wrong", "wrong"), ("right", "right")]
    text = Reader(html).text
    assert text.index("a red star") < text.index("a star") < text.index("a blue star")


def test_what_is_not_given_is_not_shown():
    tags = [attributes.get("class") for _, attributes in Reader(render("T", "L", [Section("Bare")])).tags]
    assert not {"numbers", "cards", "card looked", "card figure"} & set(tags)


def test_it_can_be_read_on_a_phone_and_in_the_dark():
    html = render("T", "L", [])
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 40rem)" in html


def test_it_is_written_as_utf_8(tmp_path):
    path = write_page(tmp_path / "page.html", "Träume…", "Lead", [])
    assert "<h1>Träume…</h1>" in path.read_text("utf-8")
