"""Runs -> tables: the runs side by side, scores, what scores hide, best epochs, failures. A notebook shows them too."""

import html
from collections.abc import Sequence

from showtell.metrics import METRICS
from showtell.metrics.score import Score
from showtell.report.failures import KINDS
from showtell.report.page import Cell
from showtell.report.runs.choose import failing
from showtell.report.runs.describe import amount, decoder_of, decoding_of, duration, encoder_of
from showtell.report.runs.log import VAL_LOSS
from showtell.report.runs.read import Run, Runs
from showtell.report.scores import LESS
from showtell.scoring.comparison import SAME

GROUPS = {"standard": ("standard", "more"), "hidden": ("hidden",)}


Row = Sequence[str | Cell]


class Table(list[Row]):
    """Rows of cells; the first is the header. A notebook draws it, `print` writes it as text."""

    def _repr_html_(self) -> str:
        head, *rows = self
        lines = ["<table><thead><tr>", *(f"<th>{html.escape(_text(cell))}</th>" for cell in head), "</tr></thead>"]
        for row in rows:
            lines += ["<tr>", *(f"<td>{_lines(cell)}</td>" for cell in row), "</tr>"]
        return "".join([*lines, "</table>"])

    def __str__(self) -> str:
        texts = [[_text(cell) for cell in row] for row in self]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in texts]
        return "\n".join(line.rstrip() for line in lines)


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _lines(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return html.escape(cell)
    text = html.escape(cell.text)
    text = f"<b>{text}</b>" if cell.mark == "best" else text
    return f"{text}<br><small>{'<br>'.join(map(html.escape, cell.small.splitlines()))}</small>" if cell.small else text


def side_by_side(found: Runs) -> Table:
    """Each run's encoder, decoder, size and speed. A column that no run fills is not shown."""
    head: Row = ["run", "encoder", "decoder", "decoding", "trained", "training", "captions/s", "photos/s"]
    rows: list[Row] = [[name, *_of_run(found, run)] for name, run in found.runs.items()]
    kept = [place for place in range(len(head)) if any(_text(row[place]) for row in rows)]
    return Table([[row[place] for place in kept] for row in [head, *rows]])


def _of_run(found: Runs, run: Run) -> list[str | Cell]:
    trained, every = run.parameters.get("trained"), run.parameters.get("all")
    seconds = run.scored.get("captioning_seconds")
    pace = f"{len(found.image_ids) / seconds:.1f}" if seconds else ""
    speed = run.log.speed
    return [
        encoder_of(run),
        decoder_of(run),
        Cell(decoding_of(run), f"weights of {run.weights.name}" if run.weights != run.folder else ""),
        Cell(amount(trained), f"of {amount(every)}" if every else ""),
        Cell(duration(run.seconds), _length(run)),
        f"{speed:.0f}" if speed else "",
        pace,
    ]


def _length(run: Run) -> str:
    """`6 epochs`, `1 epoch`: how long the training was by its own count."""
    rows, per_epoch = run.log.rows, run.log.steps_per_epoch
    steps = max((row["step"] for row in rows), default=0)
    epochs = f"{steps / per_epoch:.3g}" if steps and per_epoch else ""
    return f"{epochs} epoch{'' if epochs == '1' else 's'}" if epochs else ""


def scores(found: Runs, group: str = "standard") -> Table:
    """A row for each run, a column for each metric of the group: the value, its interval, the test against the best."""
    names = [name for name in found.metrics if METRICS[name].group in GROUPS[group]]
    names = [name for name in names if found.values(name)]
    if group == "hidden":  # many metrics: one a row
        rows: list[Row] = [[_named(name), *(_score(found, run, name) for run in found.names)] for name in names]
        return Table([["metric", *found.names], *rows])
    of_runs: list[Row] = [[run, *(_score(found, run, name) for name in names)] for run in found.names]
    return Table([["run", *map(_named, names)], *of_runs])


def _named(metric: str) -> str:
    return metric + (LESS if METRICS[metric].lower else "")


def _score(found: Runs, run: str, metric: str) -> Cell:
    score = found.comparison.scores[run].get(metric)
    if score is None:  # a metric that only the stored scores have
        stored = found.runs[run].stored.get("scores", {}).get(metric)
        return Cell(f"{stored['value']:.3f}", _interval(stored.get("interval"))) if stored else Cell("")
    interval, mark = _interval(score.interval), _mark(found, run, metric)
    verdict = _verdict(found, run, metric)
    digits = 0 if metric == "vocabulary" else 1 if metric == "length" else 3
    return Cell(f"{score.value:.{digits}f}", "\n".join(filter(None, [interval, verdict])), mark)


def _interval(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def _mark(found: Runs, run: str, metric: str) -> str:
    """`best` for the best value of a metric that has a good side; `worse` if that is shown against the best run."""
    if len(found.runs) < 2 or (METRICS[metric].group == "hidden" and not METRICS[metric].lower):
        return ""
    values = {name: found.comparison.scores[name][metric].value for name in found.names}
    best = (min if METRICS[metric].lower else max)(values.values())
    if values[run] == best:
        return "best"
    return "worse" if _verdict(found, run, metric).startswith("worse") else ""


def _verdict(found: Runs, run: str, metric: str) -> str:
    """What the test against the best run says; empty for the best run, and for metrics that cannot be tested."""
    each = found.comparison.differences.get(metric, {}).get(run)
    if each is None or each.verdict == SAME:
        return ""
    return f"{each.verdict} (p {each.p:.3f})"


def best_epochs(found: Runs) -> Table:
    """The best value of each validation metric, with its epoch: two metrics may choose different epochs."""
    names = list(dict.fromkeys(name for run in found.runs.values() for name in run.log.metrics))
    shown = {name: "loss" if name == VAL_LOSS else name for name in names}
    rows: list[Row] = []
    for name, run in found.runs.items():
        best = [run.log.best(metric) for metric in names]
        cells = [Cell(f"{point[1]:.3f}", f"epoch {point[0]:.3g}") if point else Cell("") for point in best]
        if any(best):
            rows.append([name, *cells])
    return Table([["run", *shown.values()], *rows])


def failure_counts(found: Runs) -> Table:
    """How many captions of each run fail in each way."""
    every, total = failing(found), len(found.image_ids)
    rows: list[Row] = []
    for name in found.names:
        counts = [len(every[kind][name]) for kind in KINDS]
        rows.append([name, *(Cell(f"{count:,}", f"{count / total:.1%}") for count in counts)])
    return Table([["run", *KINDS], *rows])


def captions(found: Runs, image_id: str) -> Table:
    """The captions of one photo by all runs, below its references."""
    rows: list[Row] = [["reference", "", text] for text in found.comparison.references[image_id]]
    for name in found.names:
        score: Score = found.comparison.scores[name][found.decides]
        rows.append([name, f"{score.per_image[image_id]:.3f}", found.caption(name, image_id) or "(no words)"])
    return Table([["whose", found.decides, "caption"], *rows])
