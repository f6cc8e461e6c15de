"""Runs -> `DIR/report.html` and `DIR/report.ipynb`, and on request `DIR/report.pdf` and `DIR/figures/`."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from showtell import __version__
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import check_folder, whole, write_json, write_text
from showtell.plumbing.messages import say
from showtell.plumbing.origin import command
from showtell.plumbing.progress import Bar
from showtell.plumbing.reading import read_bytes, read_json
from showtell.report.explained import picture_names
from showtell.report.figures import png, svg
from showtell.report.page import render
from showtell.report.runs import drawings
from showtell.report.runs.looks import Look, look_at_folder, look_at_middle, mapped
from showtell.report.runs.notebook import digest_of, notebook
from showtell.report.runs.pdf import check_pdf, pdf
from showtell.report.runs.read import Runs, read_runs
from showtell.report.runs.sections import Asked, sections, without_script
from showtell.report.strip import attention_figure
from showtell.scoring.compare import to_json

PAGE, NOTEBOOK, PDF, FIGURES, NUMBERS = "report.html", "report.ipynb", "report.pdf", "figures", "report.json"
SECOND = "report-new.ipynb"  # if report.ipynb was edited
TITLE = "Captioners side by side"
IGNORED = (".ipynb_checkpoints", ".DS_Store")


def report_runs(
    folders: Sequence[str | Path],
    out: str | Path,
    split: str | None = None,
    overrides: Sequence[str] = (),
    *,
    photos: str | Path | None = None,
    maps: Sequence[str] | None = None,
    with_pdf: bool = False,
    with_figures: bool = False,
    console: Console | None = None,
) -> list[Path]:
    """Write the report of run folders into the folder `out`, as `showtell report` does. Returns the written files.

    `photos` is a folder of photos to caption; by default five photos of the split are shown. `maps` names the runs
    whose maps of the words are drawn: by default all, ["none"] for none.

    Raises InputError if a run was not scored, or if `out` holds anything but an earlier report.
    """
    out = Path(out)
    photos = Path(photos) if photos is not None else None
    edited = check_home(out)
    if with_pdf:
        check_pdf()
    found = read_runs(folders, split, overrides, console=console)
    mapped(found, maps)  # a wrong name fails before photos are captioned
    unread: dict[str, str] = {}
    if photos is None:
        looks = look_at_middle(found, maps, console)
    else:
        looks, unread = look_at_folder(found, photos, maps, console)
    asked = Asked(looks, str(photos) if photos is not None else "", unread, command())
    parts, lead = sections(found, asked, console), lead_of(found)
    page = render(TITLE, lead, parts)
    book = notebook(found, out, overrides, photos, maps)
    paper = pdf(TITLE, lead, without_script(parts)) if with_pdf else b""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / PAGE, page)
        written = [out / PAGE, out / (SECOND if edited else NOTEBOOK)]
        write_text(written[-1], book)
        if edited:
            say(console, f"{out / NOTEBOOK} was edited and stays as it is; the new one is {written[-1]}")
        if paper:
            written.append(_bytes(out / PDF, paper))
        if with_figures:
            written += _figures(found, looks, out / FIGURES, console)
        write_json(out / NUMBERS, _numbers(found, out, book, edited))
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None
    return written


def check_home(out: Path) -> bool:
    """Whether `out` holds a notebook that somebody edited. Raises InputError if it holds no report, but other files."""
    check_folder(out, "--out")
    if not out.is_dir():
        return False
    others = sorted(path.name for path in out.iterdir() if path.name not in IGNORED)
    if not others:
        return False
    known = _earlier(out)
    if known is None:
        some = ", ".join(others[:3]) + (", .." if len(others) > 3 else "")
        raise InputError(f"holds other files ({some})", key=f"--out {out}", advice="name a new folder")
    book = out / NOTEBOOK
    return book.exists() and digest_of(read_bytes(book).decode("utf-8", "replace")) != known.get("notebook")


def _earlier(out: Path) -> dict[str, Any] | None:
    """What an earlier report wrote about itself; None if there is none."""
    try:
        content = read_json(out / NUMBERS)
    except InputError:
        return None
    return content if isinstance(content, dict) and "notebook" in content else None


def lead_of(found: Runs) -> str:
    photos = f"{len(found.image_ids):,} photos of the split {found.split}"
    if len(found.runs) == 1:
        return f"{found.best} on {photos}."
    return f"{', '.join(found.names)} on the same {photos}. Best by {found.decides}: {found.best}."


def _numbers(found: Runs, out: Path, book: str, edited: bool) -> dict[str, Any]:
    """All numbers of the page but those of each photo, which the runs' own scores have."""
    known = (_earlier(out) or {}).get("notebook") if edited else digest_of(book)
    numbers = {key: value for key, value in to_json(found.comparison).items() if key != "per_image"}
    made = {"showtell": __version__, "notebook": known, "command": command(), "split": found.split, "data": found.data}
    return made | {"best": found.best} | numbers


def _bytes(path: Path, content: bytes) -> Path:
    with whole(path) as part:
        part.write_bytes(content)
    return path


def _figures(found: Runs, looks: Sequence[Look], folder: Path, console: Console | None) -> list[Path]:
    """Every figure as PNG and as SVG, for people who write their own report."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = list(_drawn(found, looks))
    written = []
    with Bar(console or Plain(stderr=True), "drawing", len(drawn), "figure", show=console is not None) as bar:
        for name, draw in drawn:
            figure = draw()
            written.append(_bytes(folder / f"{name}.png", png(figure)))
            written.append(_bytes(folder / f"{name}.svg", svg(figure, words=False)))
            bar.advance()
    return written


def _drawn(found: Runs, looks: Sequence[Look]) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """A name without suffix for each figure, and how it is drawn."""
    for metric in drawings.chart_metrics(found):
        yield f"curves-{metric}", partial(drawings.curves, found, metric)
    yield "scores", partial(drawings.score_dots, found)
    if found.comparison.differences:
        yield "differences", partial(drawings.difference_dots, found)
    names = picture_names({look.image_id: look.path for look in looks}, Path())
    for look in looks:
        stem = names[look.image_id].stem
        yield f"captions-{stem}", partial(_captioned, look)
        for run in look.maps:
            name = re.sub(r"[^\w.-]+", "_", run).strip("_")  # a run may be named by its path
            yield f"maps-{name}-{stem}", partial(_mapped, look, run)


def _captioned(look: Look) -> Figure:
    return drawings.captioned(look.image(), look.captions, look.references)


def _mapped(look: Look, run: str) -> Figure:
    return attention_figure(look.image(), look.maps[run])
