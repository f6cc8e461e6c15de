"""Runs -> the sections of their report that show photos: chosen ones, best and worst, failures, all of them."""

from collections.abc import Mapping, Sequence
from functools import partial

from rich.console import Console

from showtell.data import LeftOut, told
from showtell.data.images import open_image
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import count
from showtell.report.explorer import explorer
from showtell.report.failures import KINDS
from showtell.report.figures import small_uri
from showtell.report.heat import thumbnail
from showtell.report.page import Card, Said, Section, Shown
from showtell.report.runs import choose, tables
from showtell.report.runs.looks import HOW, Look
from showtell.report.runs.read import Runs

SIDE, CARD = 480, 360  # pixels of the longer side of a photo: with its captions, in a card
FEW = 4  # cards in a row of best, worst, and of each failure


def chosen_photos(found: Runs, looks: Sequence[Look], folder: str, notes: Mapping[str, str]) -> Section:
    if folder:
        title, text = f"Captions of the photos in {folder}", "Captioned by each run whose weights are here."
    else:
        title = f"Captions of {count(len(looks), 'photo')} with the middle score"
        text = (
            f"Neither the best nor the worst: the photos whose {found.decides}, mean of the runs, stands in the middle "
            "of all. The number after a run's name is its score for this photo."
        )
    if any(look.maps for look in looks):
        text += f" Below a caption: {HOW}"
    unread = [(f"{name} {why}", "") for name, why in notes.items()]
    return Section(title, text, unread, shown=[_shown(found, look) for look in looks])


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
            note = _note(found, name, look.image_id)
            if words:
                note = ", ".join(filter(None, [note, look.maps[name].manner]))
            said.append(Said(name, caption or "(no words)", note, words))
    return Shown(picture, look.image_id, look.references, said)


def _note(found: Runs, run: str, image_id: str) -> str:
    value = found.comparison.scores[run][found.decides].per_image.get(image_id)
    return "" if value is None else f"{found.decides} {value:.3f}"


def best_and_worst(found: Runs) -> list[Section]:
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


def disagreements(found: Runs) -> list[Section]:
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


def commonest_failures(found: Runs) -> list[Section]:
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


def all_photos(found: Runs, console: Console | None) -> Section:
    values = {metric: found.values(metric) for metric in found.metrics}
    part, unread = explorer(found.comparison, values, partial(choose.failures_of, found), found.names, console)
    text = "Sort by a score, choose a run or a failure, search for a word in captions and references."
    lost = [LeftOut(name, f"cannot be read: {why}") for name, why in unread.items()]
    notes = [(f"without a picture: {told(lost)}", "")] if lost else []
    return Section("All photos", text, notes, explorer=part)
