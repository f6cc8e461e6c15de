"""Loss curves, and figures as files and data URIs. Drawn by matplotlib without pyplot."""

import base64
import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

DPI = 150
COLOURS = ("#2f6fde", "#d9532c", "#2a9d63", "#8a4fc9", "#c99700", "#158a9c", "#c2408a", "#6b6f76")
THEMES = {"light": ("#ffffff", "#3c4149", "#e3e5e9"), "dark": ("#1d2025", "#c5cad3", "#343942")}  # paper, ink, lines


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
    cut_start(axes)
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


def cut_start(axes: Axes) -> None:
    """End the y axis at what comes after the first tenth of each curve: a first loss of 8 would flatten 2.1 to 1.9."""
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
    later = [float(y) for curve in curves for y in curve[len(curve) // 10 :]]
    if later and max(later) > min(later):
        axes.set_ylim(top=max(later) + 0.05 * (max(later) - min(later)))


def png(figure: Figure, made_by: str | None = None) -> bytes:
    """`made_by` is written into the file, and nothing is seen of it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": made_by})
    return file.getvalue()


def svg(figure: Figure, words: bool = True) -> bytes:
    """The figure as vectors. `words` keeps text as text, which needs matplotlib's font; else letters become shapes."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none" if words else "path", "svg.hashsalt": "showtell"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def picture_uri(image: Image.Image, quality: int = 85) -> str:
    """A photo as a data URI. JPEG keeps it small."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality, optimize=True)
    return data_uri(file.getvalue(), "jpeg")


def small_uri(image: Image.Image, quality: int = 62) -> str:
    """A photo as a data URI in WebP: half the bytes of JPEG, for pages with hundreds of photos."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=quality, method=2)
    return data_uri(file.getvalue(), "webp")


def image_png(image: Image.Image) -> bytes:
    """A drawing as PNG, because JPEG would blur its edges."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def data_uri(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
