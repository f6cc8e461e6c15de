"""A Diagnosis -> one self-contained page (sections, copies side by side, a chart of caption lengths), or JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure as Drawing
from PIL import Image

from showtell.data.images import open_image
from showtell.data.record import Record
from showtell.doctor.copies import Copies
from showtell.doctor.examine import Diagnosis, as_json
from showtell.doctor.findings import Part, findings, to_do
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_text
from showtell.plumbing.messages import printable
from showtell.plumbing.origin import public
from showtell.report.figures import COLOURS, DPI, THEMES, data_uri, picture_uri, png
from showtell.report.heat import thumbnail
from showtell.report.page import Card, Figure, Section, write_page

SHOWN_COPIES, SHOWN_NAMES = 60, 200  # most groups with pictures, most names of a list: browsers get slow beyond that
ABREAST, SIDE, GAP = 3, 300, 6  # photos in a row; pixels of their longer side, and between two photos


def write_diagnosis(path: Path, diagnosis: Diagnosis) -> None:
    """Write JSON if the path ends in .json, otherwise the page. Raises InputError if the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            content = as_json(diagnosis) | {"to_do": to_do(diagnosis)}
            write_text(path, json.dumps(content, indent=1) + "\n")  # in ASCII: a file name may not be valid UTF-8
        else:
            write_page(path, "What the doctor found", _lead(diagnosis), _sections(diagnosis))
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error.strerror}") from None


def _lead(diagnosis: Diagnosis) -> str:
    data = diagnosis.recipe["data"]
    return f"{printable(public(str(data.get('root') or data['name'])))}, seen by `showtell doctor`"


def _sections(diagnosis: Diagnosis) -> list[Section]:
    tasks = [(task, "") for task in to_do(diagnosis)]
    sections = [Section("To do", findings=tasks or [("nothing to fix", "")])]
    for part in findings(diagnosis):
        figure, cards = None, []
        if part.title == "Captions" and diagnosis.captions is not None:
            light, dark = (data_uri(png(_lengths(diagnosis.captions.lengths, theme))) for theme in THEMES)
            figure = Figure(light, dark, "how many captions have how many words")
        if part.title == "Copies":
            cards = [card for copies in diagnosis.copies[:SHOWN_COPIES] for card in _card(copies)]
        names = _names(part, pictured=bool(cards))
        sections.append(
            Section(part.title, findings=part.findings, table=part.table, figure=figure, cards=cards, protocol=names)
        )
    return sections


def _names(part: Part, pictured: bool) -> list[tuple[str, str]]:
    """The section's lists as rows (title, text). Copies get no rows if pictures show all of them."""
    rows: list[tuple[str, str]] = []
    for title, names in part.names:
        if title == "copies" and pictured and len(names) <= SHOWN_COPIES:
            continue
        shown = names[:SHOWN_NAMES]
        if any(about for _, about in shown):
            rows += [(f"{title}: {name}", about) for name, about in shown]
        else:
            rows.append((title, ", ".join(name for name, _ in shown)))
        if len(names) > SHOWN_NAMES:
            rows.append((title, f"and {len(names) - SHOWN_NAMES:,} more; --out report.json lists all"))
    return rows


def _card(copies: Copies) -> list[Card]:
    """The first photos of a group, side by side in one picture; no card if one of them can no longer be read."""
    shown = copies.records[:ABREAST]
    try:
        picture = picture_uri(_abreast([open_image(record.path, at_least=SIDE) for record in shown]))
    except InputError:
        return []
    more = len(copies.records) - len(shown)
    names = " | ".join(map(_name, shown)) + (f" and {more:,} more" if more else "")
    return [Card(picture, names, copies.kind, note="across splits" if len(copies.splits) > 1 else "")]


def _name(record: Record) -> str:
    return f"{printable(record.image_id)} ({record.split})"


def _abreast(images: list[Image.Image]) -> Image.Image:
    small = [thumbnail(image, SIDE) for image in images]
    width = sum(image.width for image in small) + GAP * (len(small) - 1)
    result = Image.new("RGB", (width, max(image.height for image in small)), "white")
    left = 0
    for image in small:
        result.paste(image, (left, 0))
        left += image.width + GAP
    return result


def _lengths(lengths: Mapping[int, int], theme: str) -> Drawing:
    paper, ink, lines = THEMES[theme]
    figure = Drawing(figsize=(7.2, 2.6), dpi=DPI, facecolor=paper, layout="constrained")
    axes = figure.add_subplot(facecolor=paper)
    axes.bar(list(lengths), list(lengths.values()), color=COLOURS[0], width=0.85)
    axes.set_xlabel("words in a caption", color=ink)
    axes.set_ylabel("captions", color=ink)
    axes.grid(axis="y", color=lines, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure
