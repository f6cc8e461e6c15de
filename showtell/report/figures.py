"""Figures: a photo with what the model looked at for each word, and loss curves. Drawn by matplotlib without pyplot."""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from showtell.explain.attention import Explanation
from showtell.report.heat import overlay, thumbnail

DPI = 150
WIDTH = 11.0  # inches of an attention figure
PANEL_HEIGHT, PANEL_WIDTHS = 1.55, (1.0, 3.6)  # inches of a word's panel; the limits are for very tall or wide photos
MANY, SMALLER = 24, 0.7  # if there are more panels, they are drawn smaller
WORD, GAP = 0.27, 0.08  # inches: the line above a panel, the space beside it
MOST_COLUMNS = 12
COLOURS = ("#2f6fde", "#d9532c", "#2a9d63", "#8a4fc9", "#c99700", "#158a9c", "#c2408a", "#6b6f76")
THEMES = {"light": ("#ffffff", "#3c4149", "#e3e5e9"), "dark": ("#1d2025", "#c5cad3", "#343942")}  # paper, ink, lines


def attention_figure(image: Image.Image, explanation: Explanation, smooth: bool = True) -> Figure:
    """The caption on top; below it the photo, then for each word the photo, bright where the model looked.

    Without `smooth`, the visual tokens have hard edges.
    """
    pictures = [thumbnail(image, 480)]
    pictures += [overlay(image, weights, explanation.boxes, 480, smooth) for weights in explanation.maps]
    labels = ["", *explanation.words]
    slot, tall = _panel(image.width / image.height, len(pictures))
    columns = _columns(len(pictures), int((WIDTH + GAP) / (slot + GAP)))
    rows = -(-len(pictures) // columns)
    caption = textwrap.wrap(explanation.text or "(no words)", max(int(columns * slot * 8.5), 24))
    width = columns * (slot + GAP) + GAP
    head = 0.26 * len(caption) + 0.2
    height = head + rows * (tall + WORD) + GAP
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    figure.text(
        GAP / width, 1 - 0.12 / height, "\n".join(caption), fontsize=13, weight="bold", va="top", parse_math=False
    )
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        row, column = divmod(number, columns)
        left = GAP + column * (slot + GAP)
        bottom = height - head - (row + 1) * (tall + WORD)
        axes = figure.add_axes((left / width, bottom / height, slot / width, tall / height))
        axes.imshow(picture, interpolation="lanczos")
        axes.set_axis_off()
        axes.set_title(_short(label, slot), fontsize=11, pad=3, parse_math=False)
    return figure


def _panel(aspect: float, panels: int) -> tuple[float, float]:
    """Width and height of a word's panel in inches."""
    height = PANEL_HEIGHT * (SMALLER if panels > MANY else 1)
    width = min(max(aspect * height, PANEL_WIDTHS[0]), PANEL_WIDTHS[1])
    return width, min(width / aspect, height)


def _columns(panels: int, fit: int) -> int:
    """How many panels stand in a row: no more than fit, and spread evenly over the rows.

    >>> _columns(9, 8)  # 5 + 4 rather than 8 + 1
    5
    """
    most = max(1, min(fit, MOST_COLUMNS))
    rows = -(-panels // most)
    return -(-panels // rows)


def _short(word: str, inches: float) -> str:
    """The word, cut with dots if it is wider than its panel."""
    most = int(inches * 11)
    return word if len(word) <= most else word[: most - 1] + "…"


def loss_figure(runs: Mapping[str, Sequence[Mapping[str, Any]]], theme: str = "light") -> Figure:
    """Rows of `metrics.jsonl` by run name -> curves of validation loss (with dots) and training loss (thin)."""
    paper, ink, lines = THEMES[theme]
    figure = Figure(figsize=(7.2, 3.4), dpi=DPI, facecolor=paper, layout="constrained")
    axes = figure.add_subplot(facecolor=paper)
    alone = len(runs) == 1
    for (name, rows), colour in zip(runs.items(), cycle(COLOURS), strict=False):
        names = ("training", "validation") if alone else (None, name)
        _curve(axes, rows, "loss", names[0], color=colour, linewidth=1.1, alpha=0.5)
        _curve(axes, rows, "val_loss", names[1], color=colour, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_xlabel("step", color=ink)
    axes.set_ylabel("loss per word", color=ink)
    axes.grid(axis="y", color=lines, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink, length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        title = None if alone else "validation (thin: training)"
        legend = axes.legend(title=title, frameon=False, labelcolor=ink, ncols=1 if len(runs) <= 4 else 2)
        legend.get_title().set_color(ink)
    return figure


def _curve(axes: Axes, rows: Sequence[Mapping[str, Any]], key: str, label: str | None, **style: Any) -> None:
    points = [(row["step"], row[key]) for row in rows if key in row]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, **style)


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def picture_uri(image: Image.Image) -> str:
    """A photo as a data URI. JPEG keeps it small."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=85, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def image_png(image: Image.Image) -> bytes:
    """A drawing as PNG, because JPEG would blur its edges."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def data_uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
