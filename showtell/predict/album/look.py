"""A folder of captions -> its photos with their rows, to look at."""

from collections.abc import Iterator
from heapq import nsmallest
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.predict.album.items import Item
from showtell.predict.album.parts import Part, Row
from showtell.predict.album.plan import Plan
from showtell.predict.album.settings import FILE, read_settings


def is_captioned(folder: Path) -> bool:
    """Whether `showtell caption` wrote this folder."""
    return (folder / FILE).is_file()


def rows(folder: Path) -> Iterator[tuple[Item, Row]]:
    """Every photo of the whole parts, in order. Raises InputError if the folder is damaged."""
    plan, form = Plan(folder), read_settings(folder)["format"]
    for number in range(len(plan.counts)):
        part = Part(folder, number, form)
        if part.done:
            items = plan.items(number)
            yield from zip(items, part.rows(items), strict=True)


def least_sure(folder: Path, most: int) -> list[tuple[Item, Row]]:
    """The captions with the lowest mean log-probability, the lowest first."""
    captioned = 0

    def known() -> Iterator[tuple[Item, Row]]:
        nonlocal captioned
        for item, row in rows(folder):
            captioned += row["caption"] is not None
            if row["mean_log_prob"] is not None:
                yield item, row

    found = nsmallest(most, known(), key=lambda pair: pair[1]["mean_log_prob"])
    if not captioned:
        raise InputError("has no captions to review", key=str(folder), advice="its rows say why")
    if not found:
        advice = "its rows have captions only, so no page of the least sure ones can be made"
        raise InputError("has no log-probabilities", key=str(folder), advice=advice)
    return found
