"""Runs -> the sections of their report that hold numbers: sizes, scores, curves, and how all was made."""

from collections.abc import Sequence
from functools import partial

import yaml

from showtell.data import LeftOut, told
from showtell.plumbing.messages import count
from showtell.plumbing.origin import public_values
from showtell.report.compared import cautions, protocol_of, sentence
from showtell.report.figures import THEMES, data_uri, png, svg
from showtell.report.page import Chart, Figure, Section
from showtell.report.runs import drawings, tables
from showtell.report.runs.log import AXES, LOSS, VAL_LOSS, follows, rank_correlation
from showtell.report.runs.read import Run, Runs
from showtell.settings.text import Recipe

CURVE = ("METEOR", "CIDEr-D", "BLEU-4")  # the first that was validated gets its own figure


def side_by_side(found: Runs) -> Section:
    text = (
        "trained: parameters that the training changes. captions/s: in training, the median of its steps. photos/s: "
        "how fast showtell evaluate captioned; with cached features it is faster."
    )
    return Section("The runs side by side", text, table=tables.side_by_side(found), sortable=True)


def scores(found: Runs) -> list[Section]:
    several = len(found.runs) > 1
    photos = count(len(found.image_ids), "photo")
    text = f"On {photos} of the split {found.split}. Small print: the range of the score in 95 % of the resamples."
    if several:
        text += (
            f" Every run is tested against {found.best}, which is best by {found.decides}. The line worse (p .003) "
            "means more than luck with the photos. Without such a line, no difference is shown."
        )
        text += f" {found.best} was chosen on these photos too, so it looks a little better than it is."
    if found.split == "val":
        text += " The split val also chose the epoch of each training, so all its scores are optimistic."
    good = drawings.good_metrics(found)
    notes = [(sentence(found.comparison, other, good), "") for other in found.comparison.others]
    if found.comparison.left_out:
        notes.append((_skipped(found.comparison.left_out), ""))
    dots = _figure(partial(drawings.score_dots, found), "scores of the runs with their 95 % intervals")
    parts = [Section("Scores", text, notes, tables.scores(found), figure=dots, sortable=several)]
    if any(name in good for name in found.comparison.differences):
        draw = partial(drawings.difference_dots, found)
        away = (
            f"Dots: the difference from {found.best}. Lines: its 95 % interval by paired bootstrap. A full dot is a "
            "difference that is shown; a hollow dot may be chance. Right is better."
        )
        figure = _figure(draw, f"differences from {found.best} with their intervals")
        warnings = [(caution, "") for caution in cautions(found.comparison)]
        parts.append(Section(f"Differences from {found.best}", away, warnings, figure=figure, level=3))
    hidden = tables.scores(found, "hidden")
    if len(hidden) > 1:
        why = (
            "Scores against references do not notice if all captions are alike, or copied from the training. These "
            "numbers do. CHAIR counts objects that no reference names; identical are captions that another photo has "
            "too; copied are training captions, word for word."
        )
        parts.append(Section("What scores hide", why, table=hidden))
    return parts


def _skipped(left_out: Sequence[LeftOut]) -> str:
    return f"skipped {count(len(left_out), 'photo')}: {told(left_out)}"


def training(found: Runs) -> list[Section]:
    metrics = drawings.chart_metrics(found)
    if not metrics:
        return [Section("Training", "No run has a log of its training.")]
    logged = [name for name, run in found.runs.items() if run.log.metrics or run.log.curve(LOSS)]
    without = [name for name in found.names if name not in logged]
    text = "Choose the metric and the x axis; a click on a run's name hides it."
    if without:
        text += f" Without a log of training steps: {', '.join(without)}."
    figure = _figure(partial(drawings.curves, found, metrics[0]), f"curves of the {metrics[0]} by epoch")
    runs = []
    for name, colour in drawings.colours(found).items():
        if name in logged:
            curves = {metric: _points(found.runs[name], metric) for metric in [*metrics, VAL_LOSS]}
            runs.append({"name": name, "colour": colour, "curves": curves})
    parts = [Section("Training", text, chart=Chart(runs, metrics, AXES, figure))]
    best = tables.best_epochs(found)
    if len(best) > 1:
        why = (
            "The best validation of each metric, with its epoch. Two metrics may choose different epochs. Captions are "
            "greedy here, so these values differ from the scores above."
        )
        parts.append(Section("The best epochs", why, table=best, sortable=len(best) > 2, level=3))
    curve = next((name for name in CURVE if name in metrics), None)
    if curve is not None:
        draw = partial(drawings.curves, found, curve)
        alt = f"{curve} of each validation by epoch"
        title = f"{curve} per epoch, and whether it follows the loss"
        drawn = any(len(run.log.curve(curve)) > 1 for run in found.runs.values())  # else there is no curve, only a dot
        curves_of_it = _figure(draw, alt) if drawn else None
        parts.append(Section(title, findings=_followed(found, curve), figure=curves_of_it, level=3))
    return parts


def _points(run: Run, metric: str) -> list[list[float | None]]:
    """[epoch, step, seconds or None, value] of a curve."""
    by_axis = [run.log.curve(metric, axis) for axis in AXES]
    epochs, steps, seconds = by_axis
    times: list[float | None] = [round(x, 1) for x, _ in seconds] if len(seconds) == len(steps) else [None] * len(steps)
    return [
        [round(epoch, 3), round(step, 1), time, float(f"{value:.5g}")]
        for (epoch, value), (step, _), time in zip(epochs, steps, times, strict=True)
    ]


def _followed(found: Runs, metric: str) -> list[tuple[str, str]]:
    """A sentence for each run, and one over the runs."""
    lines = [(f"{name}: {follows(run.log, metric)}", "") for name, run in found.runs.items() if run.log.metrics]
    pairs = []
    for name, run in found.runs.items():
        loss = run.log.best(VAL_LOSS)
        if loss is not None:
            pairs.append((loss[1], found.comparison.scores[name][found.decides].value))
    over = rank_correlation([loss for loss, _ in pairs], [score for _, score in pairs])
    if over is not None:
        what = f"the lowest validation loss and the {found.decides} of {len(pairs)} runs"
        why = "Losses can be compared only between runs with the same tokenizer and the same label smoothing."
        lines.append((f"Over the runs: {what} have the rank correlation {over:+.2f}; -1 is perfect.", why))
    return lines


def how_made(found: Runs, command: str) -> Section:
    rows = [("data", found.data), *protocol_of(found.comparison)]
    details = []
    for name, run in found.runs.items():
        rows += _origin(name, run)
        details.append((f"Recipe of {name}", recipe_text(public_values(run.recipe))))
    rows += [("this report", command)] if command else []
    return Section("How this was made", protocol=rows, details=details)


def recipe_text(recipe: Recipe) -> str:
    """A recipe as YAML with one section a line, as the packaged recipes are written."""
    lines = []
    for section, options in recipe.items():
        text = yaml.safe_dump(options, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10_000)
        lines.append(f"{section}: {text.removesuffix('...' + chr(10)).strip()}")
    return "\n".join(lines)


def _origin(name: str, run: Run) -> list[tuple[str, str]]:
    """Who trained a run and who captioned with it, as far as its folder says."""
    rows = []
    for what, made in ((f"{name}, trained by", run.made), (f"{name}, captioned by", run.scored)):
        if made:
            version = f"Showtell {made.get('version')}" + (f", commit {made['commit']}" if made.get("commit") else "")
            by = made.get("command") or "Python"
            rows.append((what, f"{by} ({version}, {made.get('date')})"))
    return rows


def _figure(draw: partial, alt: str) -> Figure:
    """A matplotlib figure for light pages, dark pages and the PDF. `draw` takes a theme."""
    light, dark = (data_uri(png(draw(theme=theme))) for theme in THEMES)
    return Figure(light, dark, alt, svg(draw(theme="light")))
