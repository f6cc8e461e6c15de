"""Runs -> the sections of their report: the page shows them, and the PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import yaml
from rich.console import Console

from showtell.data import LeftOut, told
from showtell.data.images import open_image
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count
from showtell.report.compared import cautions, protocol_of, sentence
from showtell.report.explorer import explorer
from showtell.report.failures import KINDS
from showtell.report.figures import THEMES, data_uri, png, small_uri, svg
from showtell.report.heat import thumbnail
from showtell.report.page import Card, Chart, Figure, Said, Section, Shown
from showtell.report.runs import choose, drawings, tables
from showtell.report.runs.log import AXES, LOSS, VAL_LOSS, follows, rank_correlation
from showtell.report.runs.looks import Look
from showtell.report.runs.read import Run, Runs
from showtell.settings.text import Recipe

SIDE, CARD = 480, 360  # pixels of the longer side of a photo: with its captions, in a card
FEW = 4  # cards in a row of best, worst, and of each failure
CURVE = ("METEOR", "CIDEr-D", "BLEU-4")  # the first that was validated gets its own figure


@dataclass(frozen=True)
class Asked:
    """What a report was asked for beside its runs."""

    looks: Sequence[Look] = ()
    folder: str = ""  # of --photos; empty for the middle photos
    unread: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def sections(found: Runs, asked: Asked, console: Console | None = None) -> list[Section]:
    parts = [
        _side_by_side(found),
        *_scores(found),
        *_training(found),
        _looks(found, asked),
        *_best_and_worst(found),
        *_disagreements(found),
        *_failures(found),
        _explorer(found, console),
        _made(found, asked),
    ]
    return [part for part in parts if part is not None]


def _figure(draw: partial, alt: str) -> Figure:
    """A matplotlib figure for light pages, dark pages and the PDF. `draw` takes a theme."""
    light, dark = (data_uri(png(draw(theme=theme))) for theme in THEMES)
    return Figure(light, dark, alt, svg(draw(theme="light")))


def _side_by_side(found: Runs) -> Section:
    text = (
        "trained: parameters that the training changes. captions/s: in training, the median of its steps. photos/s: "
        "how fast showtell evaluate captioned; with cached features it is faster."
    )
    return Section("The runs side by side", text, table=tables.side_by_side(found), sortable=True)


def _scores(found: Runs) -> list[Section]:
    several = len(found.runs) > 1
    photos = count(len(found.image_ids), "photo")
    text = f"On {photos} of the split {found.split}. Small print: the range of the score in 95 % of the resamples."
    if several:
        text += (
            f" Every run is tested against {found.best}, which is best by {found.decides}. The line worse (p .003) "
            "means more than luck with the photos. Without such a line, no difference is shown."
        )
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


def _training(found: Runs) -> list[Section]:
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
        parts.append(Section(title, findings=_followed(found, curve), figure=_figure(draw, alt), level=3))
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


def _looks(found: Runs, asked: Asked) -> Section:
    if asked.folder:
        title, text = f"Captions of the photos in {asked.folder}", "Captioned by each run whose weights are here."
    else:
        title = f"Captions of {count(len(asked.looks), 'photo')} with the middle score"
        text = (
            f"Neither the best nor the worst: the photos whose {found.decides}, mean of the runs, stands in the middle "
            "of all. The number after a run's name is its score for this photo."
        )
    if any(look.maps for look in asked.looks):
        text += " Below a caption: for each word, the bright part of the photo is where the model looked (attention)."
    unread = [(f"{name} cannot be read: {why}", "") for name, why in asked.unread.items()]
    return Section(title, text, unread, shown=[_shown(found, look) for look in asked.looks])


def _shown(found: Runs, look: Look) -> Shown:
    try:
        picture = small_uri(thumbnail(look.image(), SIDE), 75)
    except InputError:
        picture = ""
    said = []
    for name in found.names:
        if name in look.captions:
            words = [(word, small_uri(image, 66)) for word, image in look.words(name)] if picture else []
            caption = look.maps[name].text if name in look.maps else look.captions[name]
            said.append(Said(name, caption or "(no words)", _note(found, name, look.image_id), words))
    return Shown(picture, look.image_id, look.references, said)


def _note(found: Runs, run: str, image_id: str) -> str:
    value = found.comparison.scores[run][found.decides].per_image.get(image_id)
    return "" if value is None else f"{found.decides} {value:.3f}"


def _best_and_worst(found: Runs) -> list[Section]:
    parts = []
    ranked = [name for name in (found.decides, "CLIPScore") if found.values(name).get(found.best)]
    for metric in dict.fromkeys(ranked):
        best, worst = choose.extremes(found, found.best, metric, FEW)
        if best:
            about = f"Of {found.best}. The list of all photos below sorts by any score and any run."
            some = [_card(found, found.best, image_id, metric) for image_id in best]
            parts.append(Section(f"Best captions by {metric}", about, cards=some, row=True))
            some = [_card(found, found.best, image_id, metric) for image_id in worst]
            parts.append(Section(f"Worst captions by {metric}", cards=some, row=True))
    return parts


def _card(found: Runs, run: str, image_id: str, metric: str) -> Card:
    value = found.values(metric)[run][image_id]
    caption = found.caption(run, image_id) or "(no words)"
    return _pictured(found, image_id, [(f"{run} · {metric} {value:.3f}", caption)])


def _pictured(found: Runs, image_id: str, captions: Sequence[tuple[str, str]], note: str = "") -> Card:
    references = found.comparison.references[image_id]
    return Card(_picture(found, image_id), image_id, references=references, captions=captions, note=note)


def _picture(found: Runs, image_id: str) -> str:
    path = found.comparison.photos.get(image_id)
    try:
        return "" if path is None else small_uri(thumbnail(open_image(path, at_least=CARD), CARD), 70)
    except InputError:
        return ""


def _disagreements(found: Runs) -> list[Section]:
    if len(found.runs) < 2:
        return []
    cards = []
    for image_id in choose.disagreeing(found, FEW):
        every = []
        for name in found.names:
            every.append((f"{name} · {_note(found, name, image_id)}", found.caption(name, image_id) or "(no words)"))
        cards.append(_pictured(found, image_id, every))
    text = f"The photos whose highest and lowest {found.decides} lie farthest apart."
    if not cards:
        text = "All runs have the same score on every photo."
    return [Section("Where the runs disagree most", text, cards=cards, row=True)]


def _failures(found: Runs) -> list[Section]:
    every = choose.failing(found)
    rules = [(f"{kind}: {rule}", "") for kind, rule in KINDS.items()]
    text = "How many captions fail in which way. The rules are simple, so look at the photos before you count on them."
    parts = [Section("The commonest failures", text, rules, tables.failure_counts(found), sortable=len(found.runs) > 1)]
    common = sorted(KINDS, key=lambda kind: -sum(map(len, every[kind].values())))
    for kind in common:
        cards = []
        for run, image_id in choose.examples(every[kind], FEW):
            why = every[kind][run][image_id]
            caption = [(run, found.caption(run, image_id) or "(no words)")]
            cards.append(_pictured(found, image_id, caption, f"{kind}: {why}" if why else kind))
        if cards:
            total = sum(map(len, every[kind].values()))
            parts.append(Section(f"{kind.capitalize()} ({total:,})", cards=cards, row=True, level=3))
    return parts


def _explorer(found: Runs, console: Console | None) -> Section:
    values = {metric: found.values(metric) for metric in found.metrics}
    part, unread = explorer(found.comparison, values, partial(choose.failures_of, found), found.names, console)
    text = "Sort by a score, choose a run or a failure, search for a word in captions and references."
    lost = [LeftOut(name, f"cannot be read: {why}") for name, why in unread.items()]
    notes = [(f"without a picture: {told(lost)}", "")] if lost else []
    return Section("All photos", text, notes, explorer=part)


def _made(found: Runs, asked: Asked) -> Section:
    rows = [("data", found.data), *protocol_of(found.comparison)]
    details = []
    for name, run in found.runs.items():
        rows += _origin(name, run)
        details.append((f"Recipe of {name}", recipe_text(run.recipe)))
    rows += [("this report", asked.command)] if asked.command else []
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


def without_script(parts: Sequence[Section]) -> list[Section]:
    """The sections for paper: a chart becomes its figure, the explorer is dropped."""
    kept = []
    for part in parts:
        if part.chart is not None:
            part = replace(part, figure=part.chart.figure, chart=None, text="")
        if part.explorer is None:
            kept.append(part)
    return kept
