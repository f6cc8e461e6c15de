"""Runs -> matplotlib figures: curves of the trainings, scores with their intervals, photos with captions."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from showtell.data.images import open_image
from showtell.metrics import METRICS
from showtell.report.figures import COLOURS, DPI, THEMES, cut_start
from showtell.report.heat import thumbnail
from showtell.report.runs.log import AXES, LOSS, VAL_LOSS
from showtell.report.runs.read import Runs
from showtell.scoring.comparison import SAME

WIDTH = 7.2  # inches
PANELS = 4  # in a row
LINE = 0.22  # inches of a line of text beside a photo


def colours(found: Runs) -> dict[str, str]:
    """Each run has one colour in the whole report."""
    return dict(zip(found.names, cycle(COLOURS), strict=False))


def chart_metrics(found: Runs) -> list[str]:
    """What the curves can show: the loss (training and validation), then each metric of the validations."""
    every = dict.fromkeys(name for run in found.runs.values() for name in run.log.metrics)
    some_loss = any(run.log.curve(LOSS) or run.log.curve(VAL_LOSS) for run in found.runs.values())
    return [LOSS] * some_loss + [name for name in every if name != VAL_LOSS]


def curves(found: Runs, metric: str = LOSS, x: str = "epoch", theme: str = "light") -> Figure:
    """One line for each run. For the loss: validation with dots, training thin. Runs without this log have no line.

    `x` is epoch, step or seconds.
    """
    assert x in AXES
    paper, ink, rule = THEMES[theme]
    figure = Figure(figsize=(WIDTH, 3.6), dpi=DPI, facecolor=paper, layout="constrained")
    axes = figure.add_subplot(facecolor=paper)
    for name, colour in colours(found).items():
        log = found.runs[name].log
        if metric == LOSS:
            _line(axes, log.curve(LOSS, x), color=colour, linewidth=1, alpha=0.55)
        points = log.curve(VAL_LOSS if metric == LOSS else metric, x)
        _line(axes, points, label=name, color=colour, linewidth=1.8, marker="o")
    if metric == LOSS:
        cut_start(axes)
    if x == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=bool(axes.dataLim.x1 > 1)))
    axes.set_xlabel("seconds of training" if x == "seconds" else x, color=ink)
    axes.set_ylabel("loss per word" if metric == LOSS else metric, color=ink)
    _plain(axes, ink, rule)
    if axes.get_legend_handles_labels()[0]:
        title = "validation (thin: training)" if metric == LOSS else None
        legend = figure.legend(title=title, loc="outside upper center", ncols=4, frameon=False, labelcolor=ink)
        legend.get_title().set_color(ink)
    return figure


def _line(axes: Axes, points: Sequence[tuple[float, float]], **style: Any) -> None:
    if points:
        axes.plot(*zip(*points, strict=True), markersize=3.5, **style)


def _plain(axes: Axes, ink: str, rule: str) -> None:
    axes.grid(axis="y", color=rule, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink, length=0, labelsize=9)
    for side in axes.spines.values():
        side.set_visible(False)


def score_dots(found: Runs, metrics: Sequence[str] = (), theme: str = "light") -> Figure:
    """A panel for each metric: a dot for each run's value, and a line for its 95 % interval."""
    names = list(metrics) or good_metrics(found)

    def draw(axes: Axes, metric: str, paper: str) -> None:
        for place, (name, colour) in enumerate(colours(found).items()):
            score = found.comparison.scores[name].get(metric)
            if score is not None:
                _dot(axes, score.value, score.interval, place, colour, colour)

    return _panels(names, found.names, draw, theme)


def difference_dots(found: Runs, metrics: Sequence[str] = (), theme: str = "light") -> Figure:
    """A panel for each metric: how far each run is from the best one. A hollow dot may be chance."""
    names = [name for name in list(metrics) or good_metrics(found) if name in found.comparison.differences]
    others = [name for name in found.names if name != found.best]

    def draw(axes: Axes, metric: str, paper: str) -> None:
        every = found.comparison.differences[metric]
        axes.axvline(0, color=THEMES[theme][1], linewidth=0.9)
        for place, name in enumerate(others):
            each, colour = every[name], colours(found)[name]
            _dot(axes, each.value, each.interval, place, colour, paper if each.verdict == SAME else colour)
        if METRICS[metric].lower:
            axes.invert_xaxis()

    return _panels(names, others, draw, theme)


def good_metrics(found: Runs) -> list[str]:
    """The metrics of the comparison that have a good side and compare with references."""
    return [name for name in found.comparison.scores[found.best] if METRICS[name].group != "hidden"]


def _dot(axes: Axes, value: float, interval: tuple[float, float] | None, place: int, colour: str, inside: str) -> None:
    if interval:
        axes.plot(interval, (place, place), color=colour, linewidth=2.4, solid_capstyle="round")
    axes.plot(value, place, "o", markersize=6, markerfacecolor=inside, markeredgecolor=colour, zorder=3)


def _panels(metrics: Sequence[str], runs: Sequence[str], draw: Callable[[Axes, str, str], None], theme: str) -> Figure:
    """Small panels, one a metric, at most four in a row; a line in each panel belongs to a run."""
    paper, ink, rule = THEMES[theme]
    columns = min(len(metrics), PANELS)
    rows = -(-len(metrics) // columns)
    size = (WIDTH if columns > 2 else WIDTH * 0.7, rows * (0.26 * len(runs) + 0.75))
    figure = Figure(figsize=size, dpi=DPI, facecolor=paper)
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        if place >= len(metrics):
            axes.set_visible(False)
            continue
        axes.set_facecolor(paper)
        draw(axes, metrics[place], paper)
        axes.set_title(metrics[place], fontsize=10, color=ink, loc="left", parse_math=False)
        _plain(axes, ink, rule)
        axes.grid(axis="x", color=rule, linewidth=0.8)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))  # more or longer numbers would touch
        axes.set_yticks(range(len(runs)), runs if place % columns == 0 else [""] * len(runs), parse_math=False)
        axes.set_ylim(len(runs) - 0.5, -0.5)
    return figure


def captioned(image: Image.Image, captions: Mapping[str, str], references: Sequence[str] = ()) -> Figure:
    """A photo, and beside it the caption of each run, then the references."""
    blocks = [(name, textwrap.wrap(text or "(no words)", 62), "black") for name, text in captions.items()]
    some = [line for text in references for line in textwrap.wrap(text, 62)]
    blocks += [("references", some, "#5d646f")] if some else []
    lines = sum(len(text) + 1.4 for _, text, _ in blocks)
    height = max(2.6, lines * LINE + 0.3)
    figure = Figure(figsize=(WIDTH + 1, height), dpi=DPI, facecolor="white")
    axes = figure.add_axes((0.01, 0.02, 0.34, 0.96))
    axes.imshow(thumbnail(image, 480), interpolation="lanczos")
    axes.set_anchor("NW")
    axes.set_axis_off()
    top = height - 0.12
    for name, text, colour in blocks:
        style: dict[str, Any] = {"va": "top", "parse_math": False, "linespacing": 1.35}
        figure.text(0.38, top / height, name, fontsize=9, color="#5d646f", **style)
        body = "\n".join(text)
        style |= {"fontsize": 10.5, "color": colour, "weight": "normal" if name == "references" else "bold"}
        figure.text(0.38, (top - LINE) / height, body, **style)
        top -= (len(text) + 1.4) * LINE
    return figure


def of_image(found: Runs, image_id: str, runs: Sequence[str] | None = None) -> Figure:
    """A photo of the report with the captions of some runs, by default of all, and its references."""
    captions = {name: found.caption(name, image_id) for name in runs or found.names}
    image = open_image(found.comparison.photos[image_id], at_least=480)
    return captioned(image, captions, found.comparison.references[image_id])
