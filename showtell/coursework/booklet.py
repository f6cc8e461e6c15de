"""Texts, tables and figures -> a PDF, page after page, for the report of a course."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from showtell.plumbing.files import whole
from showtell.report.figures import png
from showtell.report.heat import thumbnail

A4 = (8.27, 11.69)  # inches
LEFT, TOP, BOTTOM, RIGHT = 0.08, 0.95, 0.05, 0.92  # shares of the page
WIDE, WIDE_TITLE = 96, 56  # letters in a line
LINE, TITLE = 0.0165, 0.032  # shares of the page: heights of a line and of a title


class Booklet:
    """Pieces go below each other; what does not fit begins a new page. `with Booklet(path) as book:` writes the file.

    `question` leaves room for the student's own words: Showtell measures, the student explains.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.page: Figure | None = None
        self.free = 0.0
        self.count = 0

    def __enter__(self) -> "Booklet":
        self._whole = whole(self.path)
        self.pdf = PdfPages(self._whole.__enter__(), metadata={"Creator": "showtell"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn()
        self.pdf.close()
        self._whole.__exit__(kind, error, trace)

    def title(self, text: str) -> None:
        lines = textwrap.wrap(text, WIDE_TITLE)
        figure = self._room(len(lines) * TITLE + 4 * LINE)
        for line in lines:
            figure.text(LEFT, self.free, line, fontsize=15, weight="bold", va="top", parse_math=False)
            self.free -= TITLE

    def text(self, text: str, *, style: str = "normal") -> None:
        for line in [each for part in text.split("\n") for each in textwrap.wrap(part, WIDE) or [""]]:
            figure = self._room(LINE)
            figure.text(LEFT, self.free, line, fontsize=9.5, va="top", style=style, parse_math=False)
            self.free -= LINE
        self.free -= LINE / 2

    def question(self, text: str, lines: int = 3) -> None:
        """A question of the course, and empty lines for the answer."""
        self._room((lines + 2) * LINE)
        self.text(text, style="italic")
        self.free -= lines * LINE

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], above: str = "") -> None:
        """A table; the text `above` it, of one or two lines, stays on its page."""
        height = 1.5 * LINE * (len(rows) + 1)
        if above:
            self._room(height + 3 * LINE)
            self.text(above)
        figure = self._room(height)
        axes = figure.add_axes((LEFT, self.free - height, RIGHT - LEFT, height))
        axes.set_axis_off()
        grid = axes.table(
            [*map(list, rows)], colLabels=list(header), loc="upper left", cellLoc="left", edges="horizontal"
        )
        grid.auto_set_font_size(False)
        grid.set_fontsize(8.5)
        grid.auto_set_column_width(list(range(len(header))))
        grid.scale(1, 1.2)
        self.free -= height + LINE

    def figure(self, figure: Figure, width: float = 1.0, above: str = "") -> None:
        """A figure, as wide as the page or a share of it. The line `above` it stays on its page."""
        from io import BytesIO

        self.picture(Image.open(BytesIO(png(figure))), width, above)

    def picture(self, image: Image.Image, width: float = 1.0, above: str = "") -> None:
        share, most = (RIGHT - LEFT) * width, TOP - BOTTOM - 2 * LINE
        height = share * A4[0] / A4[1] * image.height / image.width
        if height > most:
            share, height = share * most / height, most
        if above:
            self._room(height + 2 * LINE)
            self.text(above)
        figure = self._room(height)
        axes = figure.add_axes((LEFT, self.free - height, share, height))
        axes.imshow(image, interpolation="lanczos")
        axes.set_axis_off()
        self.free -= height + LINE

    def photos(self, photos: Sequence[tuple[Image.Image, str]]) -> None:
        """Each photo on the left, its text on the right."""
        for image, text in photos:
            lines = [each for part in text.split("\n") for each in textwrap.wrap(part, 68) or [""]]
            height = max(0.095, (len(lines) + 1) * LINE)
            figure = self._room(height)
            axes = figure.add_axes((LEFT, self.free - 0.09, 0.2, 0.085))
            axes.imshow(thumbnail(image, 480))
            axes.set_anchor("NW")
            axes.set_axis_off()
            figure.text(
                LEFT + 0.22, self.free, "\n".join(lines), fontsize=9, va="top", parse_math=False, linespacing=1.4
            )
            self.free -= height + LINE / 2

    def _room(self, height: float) -> Figure:
        """The page that has room for a piece of this height."""
        if self.page is None or self.free - height < BOTTOM:
            self._turn()
            self.page, self.free = Figure(figsize=A4, facecolor="white"), TOP
            self.count += 1
        return self.page

    def _turn(self) -> None:
        if self.page is not None:
            self.pdf.savefig(self.page)
        self.page = None
