"""Runs -> the sections of their report: the page shows them, and the PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rich.console import Console

from showtell.report.page import Section
from showtell.report.runs import numbers, photos
from showtell.report.runs.looks import Look
from showtell.report.runs.read import Runs


@dataclass(frozen=True)
class Asked:
    """What a report was asked for beside its runs."""

    looks: Sequence[Look] = ()
    folder: str = ""  # of --photos; empty for the middle photos
    unread: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def sections(found: Runs, asked: Asked, console: Console | None = None) -> list[Section]:
    """Every part of the page, in its order."""
    return [
        numbers.side_by_side(found),
        *numbers.scores(found),
        *numbers.training(found),
        photos.chosen_photos(found, asked.looks, asked.folder, asked.unread),
        *photos.best_and_worst(found),
        *photos.disagreements(found),
        *photos.commonest_failures(found),
        photos.all_photos(found, console),
        numbers.how_made(found, asked.command),
    ]


def without_script(parts: Sequence[Section]) -> list[Section]:
    """The sections for paper: a chart becomes its figure, the explorer is dropped."""
    kept = []
    for part in parts:
        if part.chart is not None:
            part = replace(part, figure=part.chart.figure, chart=None, text="")
        if part.explorer is None:
            kept.append(part)
    return kept
