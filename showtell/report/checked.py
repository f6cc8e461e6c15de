"""The check of explanations as lines of text and as JSON."""

from collections.abc import Iterator
from typing import Any

from showtell.explain.check import RANDOM, SHARES, TESTS, Against, Check
from showtell.metrics.significance import RESAMPLES
from showtell.plumbing.messages import count
from showtell.report.explained_page import MADE_BY

SURE = 0.05  # the level of p
TITLES = {
    "deletion": "deletion: these shares of the photo are masked (higher is better)",
    "insertion": "insertion: only these shares are kept (lower is better)",
}


def lines(checked: Check, model: str) -> Iterator[str]:
    words, photos = count(checked.words, "word"), count(checked.photos, "photo")
    yield f"{model}: {words} that name something, in captions of {photos}"
    yield "fall of a word's log-probability, on average"
    width = max(len(name) for name in checked.table)
    for test in TESTS:
        yield ""
        yield TITLES[test]
        yield f"{'':{width}}" + "".join(f"{share:>8.0%}" for share in SHARES) + "   20 % against random (95 % interval)"
        for name, rows in checked.table.items():
            falls = "".join(f"{rows[test][share].fall:8.2f}" for share in SHARES)
            yield f"{name:{width}}{falls}   {against(rows[test][0.2]) if name != RANDOM else ''}".rstrip()
    verdicts = [*_cautions(checked.photos), *_verdicts(checked)]
    if verdicts:
        yield ""
        yield from verdicts
    if checked.truth:
        yield ""
        yield f"planted truth: {count(checked.things, 'thing')} that captions name, and whose place is known"
        yield f"{'':{width}}   strongest part touches it   its centre lies in it   share of the map in it"
        for name, pointing in checked.truth.items():
            yield f"{name:{width}}{pointing.touches:>28.1%}{pointing.inside:>24.1%}{pointing.share:>25.1%}"


def against(row: Against) -> str:
    if row.interval is None:
        return f"{row.difference:+.2f}"
    low, high = row.interval
    return f"{row.difference:+.2f} ({low:+.2f} to {high:+.2f}), p = {row.p:.3f}"


def _cautions(photos: int) -> Iterator[str]:
    """Where p can hardly be small, as `compare` says it of images."""
    if photos == 1:
        yield "1 photo is too little for an interval or p"
    elif 2**photos <= RESAMPLES:
        yield f"{photos} photos are few: no p can be below {_least_p(photos):.3f}"


def _least_p(photos: int) -> float:
    return 2.0 ** (1 - photos)


def _verdicts(checked: Check) -> Iterator[str]:
    """One sentence for each test in which a method does no better than random places, at 20 %.

    None if the photos are so few that no method could do better.
    """
    if _least_p(checked.photos) >= SURE:
        return
    for name, rows in checked.table.items():
        masked, kept = rows["deletion"][0.2], rows["insertion"][0.2]
        if name != RANDOM and not (masked.difference > 0 and _sure(masked)):
            yield f"{name} does not beat random places here: its maps say nothing about this model"
        elif kept.difference > 0 and _sure(kept):
            yield f"{name}: to keep only what it points at costs more than to keep random places"


def _sure(row: Against) -> bool:
    return row.p is not None and row.p < SURE


def as_json(checked: Check, command: str = "") -> dict[str, Any]:
    """All numbers, and the command that made them."""
    table = {
        name: {test: {f"{share:.0%}": row._asdict() for share, row in shares.items()} for test, shares in rows.items()}
        for name, rows in checked.table.items()
    }
    truth = {name: pointing._asdict() for name, pointing in checked.truth.items()}
    failed = {image_id: error.reason for image_id, error in checked.failed.items()}
    return {
        "made_by": MADE_BY,
        "command": command,
        "photos": checked.photos,
        "words": checked.words,
        "table": table,
        "things": checked.things,
        "truth": truth,
        "failed": failed,
    }
