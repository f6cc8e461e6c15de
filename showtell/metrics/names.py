"""Names of metrics as a user writes them -> names of the table; a group's members are scored where they can be had."""

from collections.abc import Iterable

from showtell.metrics import METRICS
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import nearest

DEFAULT = ("standard", "hidden")
FAMILIES = {  # one name for all that begin so
    "BLEU": "BLEU-",
    "CHAIR": "CHAIR",
    "distinct": "distinct-",
    "repeats": "repeats-",
    "BLEU-nltk": "BLEU-nltk-",
    "BLEU-bern": "BLEU-bern-",
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
    """Names in any case, `BLEU` for all four, `a,b` for several -> names as the table has them."""
    return list(chosen(metrics))


def chosen(metrics: str | Iterable[str]) -> dict[str, bool]:
    """Names as the table has them -> whether the metric itself was asked for, not only a group that it belongs to.

    Raises InputError for a name that is not there, and where no metric is asked for.
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
        raise InputError("no metric is asked for", takes=known, taker="there are")
    return names
