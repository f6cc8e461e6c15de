"""Loss curves and the table of BLEU, from logs/ and checkpoints/."""

import csv
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from showtell.report.figures import COLOURS

REFERENCE = "0.67 | 0.50 | 0.36 | 0.26"  # of the teachers, for model 6
NAMES = [f"model_{number}" for number in range(1, 7)]


def losses(name: str, split: str, logs: str = "logs") -> list[tuple[int, float]]:
    path = Path(logs, name, f"{split}.csv")
    if not path.is_file():
        return []
    with path.open() as file:
        return [(int(epoch), float(loss)) for epoch, loss in list(csv.reader(file))[1:]]


def curves(split: str, names: list[str] = NAMES) -> Figure:
    """One curve for each model that has a log: loss per word after each epoch."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in zip(names, COLOURS, strict=False):
        if points := losses(name, split):
            axes.plot(*zip(*points, strict=True), label=name, color=colour, marker=".")
    axes.set(xlabel="epoch", ylabel="cross-entropy per word", title={"train": "training", "val": "validation"}[split])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)
    else:
        axes.text(0.5, 0.5, "not trained yet", transform=axes.transAxes, ha="center")
    return figure


def table(names: list[str] = NAMES) -> str:
    """BLEU-1 to BLEU-4 of evaluate.py, as Markdown."""
    lines = ["| model | BLEU-1 | BLEU-2 | BLEU-3 | BLEU-4 |", "|---|---|---|---|---|"]
    for name in names:
        path = Path("checkpoints", name, "bleu_scores.txt")
        if path.is_file():
            values = [float(line.split()[1]) for line in path.read_text().splitlines()]
            lines.append(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
        else:
            lines.append(f"| {name} | not evaluated yet | | | |")
    return "\n".join([*lines, f"| reference for model_6 | {REFERENCE} |"])
