"""A comparison -> lines for a terminal, and a page: which differences are shown, a figure, photos where each run wins.

In the figure, a dot to the right of zero means better than the first run. If lower values are better, as in CHAIR, the
axis is reversed.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from showtell.data import told
from showtell.data.images import open_image
from showtell.metrics import METRICS
from showtell.metrics.metric import shown
from showtell.metrics.score import Score
from showtell.plumbing.errors import InputError
from showtell.plumbing.files import write_json
from showtell.report.explorer import explorer
from showtell.report.failures import of_run
from showtell.report.figures import COLOURS, DPI, THEMES, data_uri, picture_uri, png
from showtell.report.heat import thumbnail
from showtell.report.page import Card, Figure, Section, write_page
from showtell.report.scores import LESS
from showtell.scoring.compare import to_json
from showtell.scoring.comparison import SAME, Comparison, Difference, method

SHOWN, PICTURED = 3, 8  # photos that a run wins: in the terminal, on the page
FEW = 200  # with fewer resamples, p is coarse: 1/101 is the smallest for 100
SIDE = 480  # pixels of the longer side of a photo
VALUES, SAYS = "Values, with 95 % intervals", "verdict"
NOT_SHOWN = "not shown"  # `SAME` in a terminal, so that three runs fit into 80 columns
STRIP, MARGINS = 0.24, 0.42  # inches: height of a run's line in a metric's strip, and space around the lines


def lines(result: Comparison) -> Iterator[RenderableType]:
    """The lines that `showtell compare` prints."""
    if note := _left_out(result):
        yield Text(note)
    yield Text(VALUES, style="bold")
    yield _table(_values(result), breaks=0)
    for other in result.others:
        yield Text(f"\n{other} against {result.first}", style="bold")
        yield _table(
            [[NOT_SHOWN if each == SAME else each for each in row] for row in _tests(result, other)], breaks=-1
        )
    for caution in cautions(result):
        yield Text(caution)
    for other in result.others:
        for winner, image_ids in _wins(result, other, SHOWN):
            yield Text(f"\nwhere {winner} wins most ({result.decides})", style="bold")
            for image_id in image_ids:
                yield Text(image_id)
                for run in (result.first, other):
                    yield Text(f"  {_value(result, run, image_id)}  {run}: {_caption(result, run, image_id)}")
    yield Text(f"\n{method(result)}", style="dim")


def write_comparison(path: Path, result: Comparison, command: str = "") -> None:
    """Write a page, or JSON if the name ends in `.json`. The page shows the command that made it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_json(path, to_json(result))
        else:
            lead = f"{', '.join(result.others)} against {result.first}, on the same {len(result.references):,} images"
            write_page(path, "Captions compared", lead, _sections(result, command))
    except OSError as error:
        raise InputError(f"--out {path} cannot be written: {error.strerror}") from None


def cautions(result: Comparison) -> list[str]:
    """Warnings to read before the differences."""
    tests = sum(map(len, result.differences.values()))
    warnings = []
    if few := [name for name, difference in _all(result) if difference.exact]:
        images = len(result.references)
        which = f"{images} images are few" if 2**images <= result.resamples else f"few images differ in {_listed(few)}"
        warnings.append(f"{which}: all their swaps were tried, and p can hardly be small")
    if tests and result.resamples < FEW:
        warnings.append(f"{result.resamples} resamples are few: no p can be below {1 / (result.resamples + 1):.3f}")
    if tests > 1:
        count = len(result.others)
        runs = f" p Holm corrects for the {count} runs, but not for the number of metrics." * (count > 1)
        warnings.append(
            f"{tests} tests at the level .05: even if nothing differs, one test in twenty finds a difference."
            f"{runs} Choose the metric that decides before you look."
        )
    return warnings


def _listed(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _all(result: Comparison) -> list[tuple[str, Difference]]:
    return [(name, each) for name, by_run in result.differences.items() for each in by_run.values()]


def _left_out(result: Comparison) -> str:
    reasons = dict.fromkeys(result.scores[result.first].left_out.items())
    skipped, every = len(result.left_out), len(result.references) + len(result.left_out)
    images = f"skipped {skipped:,} of {every:,} images: {told(result.left_out)}"
    metrics = [f"skipped: {name} {reason}" for name, reason in reasons]
    return "\n".join([images] * bool(result.left_out) + metrics)


def _table(rows: Sequence[Sequence[str]], breaks: int) -> Table:
    """A table without lines, to fit into 80 columns. If it is too wide, column `breaks` is wrapped."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for place, title in enumerate(rows[0]):
        words = place == 0 or title in ("run", SAYS)
        wraps = place == breaks % len(rows[0])
        table.add_column(title, no_wrap=not wraps, overflow="fold", justify="left" if words else "right")
    for row in rows[1:]:
        table.add_row(*row)
    return table


def _values(result: Comparison) -> list[list[str]]:
    """A header, and each metric's values with intervals: two runs side by side, more runs below each other."""
    names = result.scores[result.first]
    if len(result.candidates) == 2:
        rows = [[_name(name), *(_spread(scores[name]) for scores in result.scores.values())] for name in names]
        return [["metric", *result.candidates], *rows]
    rows = [[_name(name), run, _spread(scores[name])] for name in names for run, scores in result.scores.items()]
    return [["metric", "run", "value"], *rows]


def _spread(score: Score) -> str:
    digits = METRICS[score.name].digits
    ends = " to ".join(shown(end, digits) for end in score.interval or ())
    return shown(score.value, digits) + (f" ({ends})" if ends else "")


def _tests(result: Comparison, other: str) -> list[list[str]]:
    """A header, and a row for each metric: how far the run is from the first run."""
    several = len(result.others) > 1
    rows = [["metric", "difference", "95 % interval", "p boot", "p swap", *["p Holm"] * several, SAYS]]
    for name in result.scores[result.first]:
        each = result.differences.get(name, {}).get(other)
        if each is None:
            rows.append([name, *[""] * (4 + several), "not tested"])
            continue
        digits = METRICS[name].digits
        interval = " to ".join(shown(end, digits) for end in each.interval)
        ps = [f"{p:.4f}" for p in (each.p_bootstrap, each.p_randomization, *[each.p] * several)]
        rows.append([name, shown(each.value, digits, "+"), interval, *ps, each.verdict])
    return rows


def _name(name: str) -> str:
    return name + (LESS if METRICS[name].lower else "")


def _wins(result: Comparison, other: str, most: int) -> Iterator[tuple[str, list[str]]]:
    won, lost = result.wins(other, most)
    yield from ((winner, image_ids) for winner, image_ids in ((other, won), (result.first, lost)) if image_ids)


def _value(result: Comparison, run: str, image_id: str) -> str:
    return f"{result.scores[run][result.decides].per_image[image_id]:.3f}"


def _caption(result: Comparison, run: str, image_id: str) -> str:
    return result.candidates[run][image_id] or "(no words)"


def _sections(result: Comparison, command: str) -> list[Section]:
    figure = None
    if result.differences:
        light, dark = (data_uri(png(differences_figure(result, theme))) for theme in THEMES)
        figure = Figure(light, dark, "differences with their intervals")
    text = (
        f"Dots: difference from {result.first}. Lines: its 95 % interval by paired bootstrap. A full dot is a "
        "difference that is shown; a hollow dot may be chance. Right is better (or higher, if neither is better)."
    )
    sentences = [(sentence(result, other), "") for other in result.others]
    warnings = [(warning, "") for warning in cautions(result)]
    sections = [Section("Which differences are shown", text, [*sentences, *warnings], figure=figure)]
    sections.append(Section(VALUES, _left_out(result), table=_values(result), sortable=True))
    sections += [
        Section(f"{other} against {result.first}", table=_tests(result, other), sortable=True)
        for other in result.others
    ]
    for other in result.others:
        for winner, image_ids in _wins(result, other, PICTURED):
            cards = [_card(result, other, image_id) for image_id in image_ids]
            loser = result.first if winner == other else other
            title = f"Where {winner} wins most over {loser}"
            text = f"The number after a run's name is its {result.decides} for this image."
            sections.append(Section(title, text, cards=cards, row=True))
    sections.append(_explorer(result))
    return [*sections, Section("How this was made", protocol=protocol_of(result, command))]


def _explorer(result: Comparison) -> Section:
    values = {name: _per_image(result, name) for name in result.scores[result.first]}
    part, _ = explorer(result, values, partial(of_run, result), list(result.candidates))
    text = "Sort by a score, choose a run or a failure, search for a word in captions and references."
    return Section("All photos", text, explorer=part)


def _per_image(result: Comparison, metric: str) -> dict[str, dict[str, float]]:
    return {run: scores[metric].per_image for run, scores in result.scores.items()}


def sentence(result: Comparison, other: str, metrics: Sequence[str] | None = None) -> str:
    """`b against a: better by CIDEr-D, BLEU-4; no difference shown by ROUGE-L`. By default about all metrics."""
    by_verdict: dict[str, list[str]] = {}
    for name, each in result.differences.items():
        if metrics is not None and name not in metrics:
            continue
        by_verdict.setdefault(each[other].verdict, []).append(name)
    ordered = sorted(by_verdict, key=lambda verdict: verdict == SAME)
    verdicts = [f"{verdict} by {', '.join(by_verdict[verdict])}" for verdict in ordered]
    return f"{other} against {result.first}: {'; '.join(verdicts) or 'no metric can be tested'}"


def _card(result: Comparison, other: str, image_id: str) -> Card:
    runs = (result.first, other)
    captions = [(f"{run}: {_value(result, run, image_id)}", _caption(result, run, image_id)) for run in runs]
    return Card(_picture(result, image_id), image_id, references=result.references[image_id], captions=captions)


def _picture(result: Comparison, image_id: str) -> str:
    """The photo as a small data URI; empty if there is no photo or it cannot be read."""
    if image_id not in result.photos:
        return ""
    try:
        return picture_uri(thumbnail(open_image(result.photos[image_id], at_least=SIDE), SIDE))
    except InputError:
        return ""


def protocol_of(result: Comparison, command: str = "") -> list[tuple[str, str]]:
    """How the numbers were made: the tests, where each run's captions come from, the signatures of the scores."""
    rows = [("tests", method(result))]
    for run, source in result.sources.items():
        rows.append((run, source["captions"] + (f", made by {source['evaluated']}" if source["evaluated"] else "")))
    alike: dict[str, list[str]] = {}
    for name, score in result.scores[result.first].items():
        alike.setdefault(score.signature.partition("|")[2], []).append(name)
    rows += [(", ".join(names), how.replace("|", " | ")) for how, names in alike.items()]
    return [*rows, ("command", command)] if command else rows


def differences_figure(result: Comparison, theme: str = "light") -> Drawing:
    """A strip for each metric, and in it an interval and a dot for each run. Each metric has its own scale."""
    paper, ink, rule = THEMES[theme]
    tall = STRIP * len(result.others) + MARGINS
    names, legend = list(result.differences), 0.3 if len(result.others) > 1 else 0
    figure = Drawing(figsize=(7.2, tall * len(names) + legend), dpi=DPI, facecolor=paper, layout="constrained")
    for name, axes in zip(names, figure.subplots(len(names), squeeze=False)[:, 0], strict=True):
        _strip(axes, result, name, paper)
        axes.set_facecolor(paper)
        axes.axvline(0, color=ink, linewidth=0.9)
        axes.set_ylabel(_name(name).replace(" (", "\n("), color=ink, rotation=0, ha="right", va="center")
        axes.grid(axis="x", color=rule, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=ink, length=0, labelsize=8)
        for side in axes.spines.values():
            side.set_visible(False)
    if legend:
        handles = axes.lines[: 2 * len(result.others) : 2]  # from the last strip, where each run has a line and a dot
        figure.legend(handles, result.others, loc="outside upper center", ncols=3, frameon=False, labelcolor=ink)
    return figure


def _strip(axes: Axes, result: Comparison, name: str, paper: str) -> None:
    for place, (other, colour) in enumerate(zip(result.others, cycle(COLOURS), strict=False)):
        each = result.differences[name][other]
        axes.plot(each.interval, (place, place), color=colour, linewidth=2, solid_capstyle="round")
        inside = paper if each.verdict == SAME else colour
        axes.plot(each.value, place, "o", markersize=7, markerfacecolor=inside, markeredgecolor=colour, zorder=3)
    most = max(max(map(abs, (each.value, *each.interval))) for each in result.differences[name].values()) or 1
    axes.set_xlim(*((1.1 * most, -1.1 * most) if METRICS[name].lower else (-1.1 * most, 1.1 * most)))
    axes.set_ylim(len(result.others) - 0.4, -0.6)
    axes.set_yticks([])
