"""Names of metrics as a user writes them -> names in `METRICS`. The name of a group or family means all its metrics."""

from collections.abc import Iterable

from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest

DEFAULT = ("standard", "hidden")
FAMILIES = {  # one name for all metrics whose names begin like this
    "BLEU": "BLEU-",
    "CHAIR": "CHAIR",
    "distinct": "distinct-",
    "repeats": "repeats-",
    "BLEU-nltk": "BLEU-nltk-",
    "BLEU-bern": "BLEU-bern-",
    "BLEU-ids": "BLEU-ids-",
}


def groups() -> dict[str, list[str]]:
    """Every name that means several metrics -> their names, in the table's order."""
    table = METRICS
    named = {group: [name for name, metric in table.items() if metric.group == group] for group in DEFAULT}
    for family, begins in FAMILIES.items():
        members = [name for name in table if name.startswith(begins) and name[len(begins) :].count("-") == 0]
        named |= {family: members} if members else {}
    return named


def select(metrics: str | Iterable[str]) -> list[str]:
    """Names in upper or lower case -> names in the table. `bleu` means BLEU-1 to BLEU-4; `a,b` means both."""
    return list(chosen(metrics))


def chosen(metrics: str | Iterable[str]) -> dict[str, bool]:
    """Names in the table -> True if the user named the metric or its family, False if only its group (`standard`).

    Raises InputError for an unknown name, and if no metric is named.
    """
    known = {name: [name] for name in METRICS} | groups()
    written = {name.lower(): name for name in known}
    asked = [metrics] if isinstance(metrics, str) else metrics
    names: dict[str, bool] = {}
    for part in (part.strip() for text in asked for part in text.split(",")):
        if part.lower() not in written:
            wrong = f"{part!r} is not a metric"
            raise InputError(wrong, value=part, takes=known, taker="there are", near=nearest(part, known))
        name = written[part.lower()]
        for member in known[name]:
            names[member] = names.get(member, False) or name not in DEFAULT
    if not names:
        raise InputError("no metric is named", takes=known, taker="there are")
    return names
