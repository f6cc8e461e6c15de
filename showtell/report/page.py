"""Sections as plain data -> one HTML file that contains its pictures and loads nothing.

The template escapes all text. Pictures are data URIs, and the page's Content-Security-Policy forbids everything else.
Only pages with a chart, an explorer or a sortable table have a script (`page.js`). The policy names its digest, so the
browser runs no other script. Without a script, all but the explorer can still be read.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

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
    vector: bytes = b""  # the light chart as SVG, for the PDF


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
class Cell:
    """A cell of a table: its text, a smaller line below, and a mark: `best`, `worse` than the best, or neither."""

    text: str
    small: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Said:
    """A caption in a `Shown`: whose it is, the caption, a note beside the name, and its words with their pictures."""

    whose: str
    caption: str
    note: str = ""
    words: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Shown:
    """A photo with the captions of several runs, beside its references."""

    picture: str
    name: str
    references: Sequence[str]
    said: Sequence[Said]


@dataclass(frozen=True)
class Chart:
    """Curves to choose from, drawn by the page's script; `figure` is shown if there is none.

    `runs` are {name, colour, curves: {metric: [[epoch, step, seconds or None, value], ..]}}.
    """

    runs: Sequence[Mapping[str, Any]]
    metrics: Sequence[str]
    axes: Sequence[str]
    figure: Figure


@dataclass(frozen=True)
class Explorer:
    """All photos, to sort, filter and search. For each photo: {name, picture, references, captions (by run), values (by
    metric, by run), failures (by run: {kind: why})}. `best` is the metric that is shown first."""

    runs: Sequence[str]
    metrics: Sequence[tuple[str, bool]]  # name, whether lower is better
    kinds: Sequence[str]
    photos: Sequence[Mapping[str, Any]]
    best: str


@dataclass(frozen=True)
class Section:
    """A part of the page. Everything that is given is shown, in the order of these fields.

    `findings` are (what, what to do about it, or empty). The first row of `table` is the header. `protocol` are
    (what, how) lines in small print. `details` are (title, text) that open with a click.
    """

    title: str
    text: str = ""
    findings: Sequence[tuple[str, str]] = ()
    table: Sequence[Sequence[str | Cell]] = ()
    numbers: Sequence[Number] = ()
    figure: Figure | None = None
    chart: Chart | None = None
    shown: Sequence[Shown] = ()
    cards: Sequence[Card] = ()
    looked: Sequence[Looked] = ()
    explorer: Explorer | None = None
    protocol: Sequence[tuple[str, str]] = ()
    details: Sequence[tuple[str, str]] = ()
    sortable: bool = False  # whether a click on a column's name sorts the table
    row: bool = False  # whether the cards stand in one row on a phone, which scrolls sideways
    level: int = 2  # of the title: 3 belongs to the section before


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
    moving = any(section.chart or section.explorer or section.sortable for section in sections)
    script = _script() if moving else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rule = f"; script-src 'sha256-{digest}'" if script else ""
    known: dict[str, Any] = {"script": Markup(script), "script_rule": Markup(rule), "version": __version__}
    return _template().render(title=title, lead=lead, sections=sections, **known)


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    write_text(path, render(title, lead, sections))
    return path


@cache
def _script() -> str:
    return (Path(__file__).parent / "page.js").read_text("utf-8")


@cache
def _template() -> Template:
    loader = PackageLoader("showtell.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"for_script": _for_script, "kinds": is_words}
    return environment.get_template("page.html")


def is_words(table: Sequence[Sequence[str | Cell]]) -> list[bool]:
    """For each column whether it holds words, which stand left; numbers stand right.

    >>> is_words([["run", "loss", "verdict"], ["a", "0.5", "better"], ["b", "", "worse"]])
    [True, False, True]
    """
    texts = [[cell if isinstance(cell, str) else "" for cell in column] for column in zip(*table[1:], strict=True)]
    return [any(text[0].isalpha() for text in column if text) for column in texts] or [False] * len(table[0])


def _for_script(part: Chart | Explorer) -> Markup:
    """What the page's script reads, as JSON that cannot end its own `<script>`."""
    if isinstance(part, Chart):
        content: dict[str, Any] = {"runs": part.runs, "metrics": part.metrics, "axes": part.axes}
    else:
        metrics = [{"name": name, "lower": lower} for name, lower in part.metrics]
        content = {"runs": part.runs, "metrics": metrics, "kinds": part.kinds, "photos": part.photos}
        content |= {"best": part.best}
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
