"""An album's captions -> pages of thumbnails: those that a person should look at first, and those that were found."""

from collections.abc import Sequence
from pathlib import Path

from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count
from showtell.predict.album.items import Item, fetches, open_picture
from showtell.predict.album.look import least_sure, rows
from showtell.predict.album.parts import Row
from showtell.report.figures import small_uri
from showtell.report.heat import thumbnail
from showtell.report.page import Card, Number, Section, write_page
from showtell.zeroshot.find import Found

MOST = 100  # photos to look at first
FAILED = 50  # failures that are listed
SIDE = 320  # pixels of a thumbnail


def write_review(path: Path, folder: Path) -> int:
    """Write the page of the least sure captions; returns how many it shows."""
    chosen = least_sure(folder, MOST)
    total = failures = 0
    failed: list[tuple[str, str]] = []
    for item, row in rows(folder):
        total += 1
        if row["error"] is not None:
            failures += 1
            failed += [(item.image_id, row["error"])][: FAILED - len(failed)]
    lead = f"The {count(len(chosen), 'caption')} of {total:,} that the model is least sure of, the least sure first."
    path.parent.mkdir(parents=True, exist_ok=True)
    write_page(
        path,
        "Look at these first",
        lead,
        [_summary(total, failures, chosen), _cards(chosen), *_failed(failed, failures)],
    )
    return len(chosen)


def _summary(total: int, failures: int, chosen: Sequence[tuple[Item, Row]]) -> Section:
    worst, last = chosen[0][1], chosen[-1][1]
    numbers = [
        Number("photos", f"{total:,}", f"{failures:,} could not be read"),
        Number("least sure", _sure(worst), _meaning(worst)),
        Number("the last here", _sure(last), "the rest of the album is surer"),
    ]
    text = (
        "Sureness is the mean of the log-probabilities of a caption's words: 0 is certain, -1 is a word that the "
        "model gives a probability of .37. It says how likely the model found its caption, not whether it is true."
    )
    return Section("How sure the model is", text, numbers=numbers)


def _sure(row: Row) -> str:
    if row["probability"] is not None:
        return _share(row["probability"])
    return f"{row['mean_log_prob']:.2f}"


def _share(value: float) -> str:
    """
    >>> _share(0.314), _share(1.0)
    ('.31', '1.00')
    """
    return f"{value:.2f}".removeprefix("0")


def _meaning(row: Row) -> str:
    if row["probability"] is not None:
        return "the probability that such a caption is in the better half of the validation photos"
    return "the mean log-probability of a word"


def _cards(chosen: Sequence[tuple[Item, Row]]) -> Section:
    cards = []
    for item, row in chosen:
        probability = f", probability {_share(row['probability'])}" if row["probability"] is not None else ""
        beside = f"{row['mean_log_prob']:.2f} a word{probability}"
        cards.append(Card(_picture(item), item.image_id, captions=[(beside, row["caption"])]))
    return Section("The least sure captions", cards=cards)


def _failed(failed: Sequence[tuple[str, str]], failures: int) -> list[Section]:
    if not failed:
        return []
    more = f" The first {len(failed)} are listed." if failures > len(failed) else ""
    text = f"{count(failures, 'photo')} could not be read, so there is no caption.{more}"
    return [Section("Not read", text, table=[("photo", "reason"), *failed])]


def write_found(path: Path, found: Found) -> Path:
    """The page of the photos that fit a sentence."""
    lead = f"{count(len(found.hits), 'photo')} of {found.searched:,}, the best first, by {found.model}."
    cards = [
        Card(_picture(hit.item), hit.item.image_id, captions=[(f"{found.unit} {hit.score:.3f}", hit.caption)])
        for hit in found.hits
    ]
    sections = [Section("Photos", " ".join(found.notes), cards=cards)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_page(path, found.sentence, lead, sections)


def _picture(item: Item) -> str:
    """The thumbnail, or nothing if the photo has gone since."""
    try:
        (fetch,) = fetches([item])
        return small_uri(thumbnail(open_picture(item.image_id, fetch(), 2 * SIDE), SIDE))
    except InputError:
        return ""
