"""Sections as plain data -> one HTML file that contains its pictures, has no script and loads nothing.

The template escapes all text. Pictures are data URIs, and the page's Content-Security-Policy forbids everything else.
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
    """One number of a summary: its name, its value as shown, and its meaning in a few words."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart as data URIs, for light and for dark pages. `alt` describes it for people who cannot see it."""

    light: str
    dark: str
    alt: str


@dataclass(frozen=True)
class Card:
    """An image with its caption, and references if it has some. `right` is a judgement of the caption, `note` says why.

    To show several captions, give `captions` as (whose, caption). Without a picture the card has only text.
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
    """An image with its caption, and for each word (word, picture of where the model looked)."""

    picture: str
    name: str
    caption: str
    words: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Section:
    """A part of the page. Everything that is given is shown, in the order of these fields.

    `findings` are (what, what to do about it, or empty). The first row of `table` is the header. `protocol` are
    (what, how) lines in small print.
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
    """The file of `--out`. Raises InputError before any work starts if it cannot be written."""
    if path.suffix not in (".html", ".json"):
        raise InputError(key="--out", value=str(path), takes="a name that ends in .html or .json")
    if path.is_dir():
        raise InputError(f"--out {path} is a folder; it takes the name of a file")
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
