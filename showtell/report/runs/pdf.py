"""Sections -> a PDF, set by typst: text can be selected, figures are vectors.

The sections go to typst as JSON, and `report.typ` draws them. So no caption is ever read as markup.
"""

import base64
import io
import json
import re
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image

from showtell.plumbing.errors import InputError
from showtell.report.page import Card, Cell, Figure, Section, Shown, is_words

WIDTH = 86.0  # per cent of the page's width that a wide figure takes
TEMPLATE = Path(__file__).parent / "report.typ"


def check_pdf() -> None:
    """Raise InputError before any work starts if typst is not installed."""
    if find_spec("typst") is None:
        raise InputError("needs typst, which is not installed", key="--pdf", advice="pip install 'showtell[pdf]'")


def pdf(title: str, lead: str, sections: Sequence[Section]) -> bytes:
    """The PDF's bytes. Raises InputError if typst is not installed."""
    check_pdf()
    import typst

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _Files(folder)
        content = {"title": title, "lead": lead, "sections": [_section(part, files) for part in sections]}
        (folder / "data.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        (folder / "main.typ").write_text(TEMPLATE.read_text("utf-8"), "utf-8")
        fonts = [str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")]  # those of the figures
        made = typst.compile(str(folder / "main.typ"), root=str(folder), font_paths=fonts)
    assert isinstance(made, bytes)
    return made


class _Files:
    """Pictures as files in the folder that typst reads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    def keep(self, content: bytes, suffix: str) -> str:
        self.number += 1
        name = f"{self.number}.{suffix}"
        (self.folder / name).write_bytes(content)
        return name

    def picture(self, uri: str) -> str:
        """A data URI as a file; empty stays empty. WebP becomes JPEG, which a PDF stores as it is."""
        if not uri:
            return ""
        kind, _, text = uri.partition(";base64,")
        content, suffix = base64.b64decode(text), kind.removeprefix("data:image/")
        if suffix == "webp":
            file = io.BytesIO()
            Image.open(io.BytesIO(content)).save(file, "JPEG", quality=80, optimize=True)
            content, suffix = file.getvalue(), "jpg"
        return self.keep(content, suffix)


def _section(part: Section, files: _Files) -> dict[str, Any]:
    figure = part.figure
    return {
        "title": part.title,
        "text": part.text,
        "level": part.level,
        "findings": [list(finding) for finding in part.findings],
        "table": [[_cell(cell) for cell in row] for row in part.table],
        "kinds": is_words(part.table) if part.table else [],
        "figure": _drawn(figure, files) if figure is not None else "",
        "alt": figure.alt if figure is not None else "",
        "width": _width(figure) if figure is not None else WIDTH,
        "shown": [_shown(each, files) for each in part.shown],
        "cards": [_card(each, files) for each in part.cards],
        "protocol": [[what, _breakable(how)] for what, how in part.protocol],
        "details": [list(each) for each in part.details],
    }


def _drawn(figure: Figure, files: _Files) -> str:
    return files.keep(figure.vector, "svg") if figure.vector else files.picture(figure.light)


def _breakable(text: str) -> str:
    """A long signature or path with places where a line may end: zero-width spaces."""
    return re.sub(r"([,|/=])(?=\S)", "\\1\u200b", text)


def _width(figure: Figure) -> float:
    """Per cent of the page's width: a figure that is higher than wide becomes narrower, to fit below its title."""
    size = re.search(rb'<svg [^>]*?height="([\d.]+)pt"[^>]*? width="([\d.]+)pt"', figure.vector)
    if size is None:
        return WIDTH
    height, width = (float(number) for number in size.groups())
    return WIDTH * min(1.0, width / height)


def _cell(cell: str | Cell) -> dict[str, Any]:
    if isinstance(cell, str):
        cell = Cell(cell)
    return {"text": cell.text, "small": cell.small.splitlines(), "mark": cell.mark}


def _card(card: Card, files: _Files) -> dict[str, Any]:
    captions = list(card.captions) or [("", card.caption)]
    return {
        "picture": files.picture(card.picture),
        "name": card.name,
        "captions": [list(pair) for pair in captions],
        "references": list(card.references),
        "note": card.note,
    }


def _shown(shown: Shown, files: _Files) -> dict[str, Any]:
    said = [
        {
            "whose": f"{each.whose} · {each.note}" if each.note else each.whose,
            "caption": each.caption,
            "words": [[word, files.picture(picture)] for word, picture in each.words],
        }
        for each in shown.said
    ]
    picture = files.picture(shown.picture)
    return {"picture": picture, "name": shown.name, "references": list(shown.references), "said": said}
