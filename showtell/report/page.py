"""Sections as plain data -> one self-contained HTML page: pictures inside, no request to anywhere, no script.

The template escapes all text; pictures come as data URIs, and the page's own policy forbids the browser anything else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from showtell import __version__
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import check_folder, write_text


@dataclass(frozen=True)
class Number:
    """One number of a summary: what it is called, as it is shown, and in a few words what it means."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart as data URIs for light and for dark pages; `alt` says what it shows."""

    light: str
    dark: str
    alt: str


@dataclass(frozen=True)
class Card:
    """An image with its caption, beside its references where it has some; `right` is a judge's word, `note` why.

    `captions` are (whose, caption) where several stand side by side; without a picture the card is text alone.
    """

    picture: str
    name: str
    caption: str = ""
    references: Sequence[str] = ()
    right: bool | None = None
    note: str = ""
    captions: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Looked:
    """An image with its caption, and (word, picture of where it looked) for each word."""

    picture: str
    name: str
    caption: str
    words: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """A part of the page: what is given is shown, in this order; `protocol` is (what, how) lines in small print.

    `findings` are (what, what to do about it or nothing), the first row of `table` is its header.
    """

    title: str
    text: str = ""
    findings: Sequence[tuple[str, str]] = ()
    table: Sequence[Sequence[str]] = ()
    numbers: Sequence[Number] = ()
    figure: Figure | None = None
    cards: Sequence[Card] = ()
    looked: Sequence[Looked] = ()
    protocol: Sequence[tuple[str, str]] = ()


def check_out(path: Path) -> Path:
    """The file that `--out` names, before minutes are spent."""
    if path.suffix not in (".html", ".json"):
        raise InputError(f"--out is {str(path)!r}; it takes a name that ends in .html or .json")
    if path.is_dir():
        raise InputError(f"--out {path} is a folder; it takes a file's name")
    check_folder(path.parent, "--out")
    return path


def render(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The page's HTML."""
    return _template().render(title=title, lead=lead, sections=sections, version=__version__)


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    write_text(path, render(title, lead, sections))
    return path


@cache
def _template() -> Template:
    loader = PackageLoader("showtell.report", ".")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        "page.html"
    )
