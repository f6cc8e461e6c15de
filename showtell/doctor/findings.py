"""A Diagnosis -> sections of findings with advice, and a short to-do list. Terminal and page show the same sections."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from showtell.data.record import LeftOut
from showtell.doctor.captions import SPECIAL
from showtell.doctor.copies import KINDS, Copies
from showtell.doctor.examine import SPLITS, Diagnosis
from showtell.plumbing.messages import count, printable

ADVICE = {  # an oddity of readable photos -> what Showtell does, or what the user should do
    "turned by EXIF": "Showtell rotates them upright",
    "grey": "Showtell reads them as grey RGB",
    "CMYK": "Showtell converts them to RGB; colours may differ a little from other programs",
    "16 bits or more": "Showtell scales them to 8 bits",
    "transparent": "Showtell puts them on a white background",
    "animated": "Showtell reads the first frame",
    "wrong suffix": "Showtell detects the format from the content and ignores the suffix",
    "tiny": "a side is under 32 pixels, too small to recognise much; remove them if they are thumbnails by mistake",
    "huge": "a side is over 4,000 pixels; reading is slow, but happens once (features are cached)",
    "long and narrow": "one side is at least 3 times the other; squeezed into a square, objects look distorted",
    "plain": "nearly one colour everywhere; check that the file holds the right picture",
}


class Finding(NamedTuple):
    """One line of the report, and advice if there is something to do or to know."""

    text: str
    advice: str = ""


@dataclass(frozen=True)
class Part:
    """A section of the report.

    `names` holds (title, list of (name, reason)), for example ("cannot be read", [("a.jpg", "truncated")]). The first
    row of `table` is its header.
    """

    title: str
    findings: Sequence[Finding]
    names: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    table: Sequence[Sequence[str]] = ()


def findings(diagnosis: Diagnosis) -> list[Part]:
    """All sections except the to-do list."""
    sections = [_data(diagnosis), _photos(diagnosis), _odd(diagnosis), _copies(diagnosis)]
    return sections + ([_captions(diagnosis), _vocabulary(diagnosis)] if diagnosis.captions else [])


def _data(diagnosis: Diagnosis) -> Part:
    rows = []
    for split in SPLITS:
        records = diagnosis.of(split)
        captioned = sum(bool(record.references) for record in records)
        rows.append([split, f"{len(records):,}", f"{captioned:,}", f"{sum(len(r.references) for r in records):,}"])
    return Part(
        "Data",
        [Finding(f"format: {diagnosis.form}")],
        table=[["split", "photos", "with captions", "captions"], *rows],
    )


def _photos(diagnosis: Diagnosis) -> Part:
    readable = len(diagnosis.records) - len(diagnosis.unreadable)
    items = [Finding(f"{readable:,} of {count(len(diagnosis.records), 'photo')} can be read")]
    names = []
    if diagnosis.unreadable:
        advice = "repair or replace them; training skips them"
        items.append(Finding(f"cannot be read: {_reasons(diagnosis.unreadable)}", advice))
        names.append(("cannot be read", _named(diagnosis.unreadable)))
    if diagnosis.left_out:
        advice = "correct the captions file or add the missing photos; training skips these rows"
        items.append(Finding(f"skipped rows of the captions files: {_reasons(diagnosis.left_out)}", advice))
        names.append(("skipped", _named(diagnosis.left_out)))
    if diagnosis.beside:
        advice = "nothing to do: they are not used"
        items.append(Finding(f"{count(len(diagnosis.beside), 'photo')} in the same folders without captions", advice))
        names.append(("without captions", [(printable(path.name), "") for path in diagnosis.beside]))
    return Part("Photos", items, names)


def _reasons(left_out: Iterable[LeftOut]) -> str:
    """Counts by reason, without names: `3 truncated, 1 empty file`."""
    counts: dict[str, int] = {}
    for _, reason in left_out:
        counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(f"{n:,} {printable(reason)}" for reason, n in sorted(counts.items(), key=lambda item: -item[1]))


def _named(left_out: Iterable[LeftOut]) -> list[tuple[str, str]]:
    return [(printable(name), printable(reason)) for name, reason in left_out]


def _odd(diagnosis: Diagnosis) -> Part:
    items = [Finding(f"{what}: {count(len(names), 'photo')}", ADVICE[what]) for what, names in diagnosis.odd.items()]
    names = [(what, [(printable(name), "") for name in names]) for what, names in diagnosis.odd.items()]
    if diagnosis.sizes:
        size, most = diagnosis.sizes.most_common(1)[0]
        text = (
            f"all photos are {size}"
            if len(diagnosis.sizes) == 1
            else f"{len(diagnosis.sizes):,} sizes; the most common is {size} ({count(most, 'photo')})"
        )
        items.insert(0, Finding(text))
    return Part("Unusual but readable photos", items, names)


def _copies(diagnosis: Diagnosis) -> Part:
    items = [Finding(text) for text in _copies_by_kind(diagnosis.copies)] or [Finding("no copies")]
    for split in SPLITS[1:]:
        if leaked := diagnosis.held_out_copies(split):
            advice = f"scores on {split} are too high; remove the copies from train"
            text = f"train has copies of {len(leaked):,} of {count(len(diagnosis.of(split)), f'{split} photo')}"
            items.append(Finding(text, advice))
    if any(len(copies.splits) == 1 for copies in diagnosis.copies):
        items.append(Finding("copies within a split", "harmless; training or scores count the photo twice"))
    if diagnosis.not_compared:
        text = f"{count(diagnosis.not_compared, 'pair')} of similar thumbnails were not compared in detail (too many)"
        items.append(Finding(text))
    rows = [(", ".join(f"{printable(r.image_id)} ({r.split})" for r in c.records), c.kind) for c in diagnosis.copies]
    return Part("Copies", items, [("copies", rows)] if rows else [])


def _copies_by_kind(copies: Sequence[Copies]) -> Iterator[str]:
    for kind in KINDS:
        pairs = [group.pairs for group in copies if group.kind == kind]
        if pairs:
            within, across = (sum(numbers) for numbers in zip(*pairs, strict=True))
            photos = sum(len(group.records) for group in copies if group.kind == kind)
            yield f"{kind}: {photos:,} photos; {count(within, 'pair')} within a split, {across:,} across splits"


def _captions(diagnosis: Diagnosis) -> Part:
    captions = diagnosis.captions
    assert captions is not None
    each, words = captions.per_photo, captions.words
    items = [
        Finding(
            f"{_range(each.least, each.most)} per photo" + (f", median {each.median}" if each.least < each.most else "")
        ),
        Finding(
            f"{_range(words.least, words.most)} words long, median {words.median}; 95 % have at most "
            f"{words.most_of_them} words and fit into decode.max_length={words.most_of_them + SPECIAL}"
        ),
    ]
    limit = diagnosis.max_length
    if limit is not None and (longer := captions.longer(limit - SPECIAL)):
        text = f"{count(longer, 'caption')} longer than decode.max_length={limit} allows ({limit - SPECIAL} words)"
        room = SPECIAL + (words.most_of_them if words.most_of_them + SPECIAL > limit else words.most)
        items.append(Finding(text, f"set decode.max_length={room}, or shorten the captions"))
    if captions.repeated:
        text = f"{count(captions.repeated, 'caption')} of {count(captions.repeated_photos, 'photo')} repeat another"
        items.append(
            Finding(f"{text} caption of the same photo", "usual in some data sets; training weighs such captions more")
        )
    for split, (seen, total) in captions.seen_in_train.items():
        if seen:
            text = f"{seen / total:.0%} of {split}'s captions are also in train, word for word ({seen:,} of {total:,})"
            many = (
                "captions repeat a lot; compare scores with the recipe nearest, which only copies training captions"
                if seen > total / 10
                else ""
            )
            items.append(Finding(text, many))
    if captions.unspaced:
        advice = "the tokenizer `words` makes one word of a whole caption; use tokenizer=sentencepiece"
        items.append(Finding(captions.unspaced, advice))
    if set(captions.scripts) - {"Latin"}:
        scripts = ", ".join(f"{script} {n:,}" for script, n in captions.scripts.items())
        items.append(Finding(f"scripts: {scripts}", "the tokenizer `words` splits by English rules; try sentencepiece"))
    items += [
        Finding(f"{count(len(rows), 'caption')} {what}", "check the list below") for what, rows in captions.odd.items()
    ]
    names = [(what, [(printable(i), printable(text)) for i, text in rows]) for what, rows in captions.odd.items()]
    return Part("Captions", items, names)


def _range(least: int, most: int) -> str:
    return f"{least} to {most}" if least < most else str(most)


def _vocabulary(diagnosis: Diagnosis) -> Part:
    captions = diagnosis.captions
    assert captions is not None
    rows = [["min_count", "vocabulary", "training words covered", "validation words unknown"]]
    for v in captions.vocabularies:
        unknown = "" if v.unknown is None else f"{v.unknown:.1%}"
        rows.append([str(v.min_count), f"{v.words:,}", f"{v.covered:.1%}", unknown])
    if captions.min_count is None:
        return Part("Vocabulary", [Finding("no training captions, so no vocabulary")])
    text = f"suggested: tokenizer.min_count={captions.min_count}, the largest that makes at most 2 % more words unknown"
    return Part("Vocabulary", [Finding(f"{text} than 2 does")], table=rows)


def to_do(diagnosis: Diagnosis) -> list[str]:
    """Tasks for the user, the most urgent first; empty if there is nothing to fix."""
    return [*_to_do_photos(diagnosis), *_to_do_captions(diagnosis)]


def _to_do_photos(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.unreadable:
        yield f"repair or replace {count(len(diagnosis.unreadable), 'photo')} that cannot be read"
    if diagnosis.left_out:
        verb = "is" if len(diagnosis.left_out) == 1 else "are"
        yield f"check {count(len(diagnosis.left_out), 'row')} of the captions files that {verb} skipped"
    for split in SPLITS[1:]:
        if leaked := diagnosis.held_out_copies(split):
            yield f"remove the copies of {count(len(leaked), f'{split} photo')} from train"
    if names := diagnosis.odd.get("tiny"):
        yield f"check {count(len(names), 'tiny photo')}: {printable(names[0])}"


def _to_do_captions(diagnosis: Diagnosis) -> Iterator[str]:
    captions = diagnosis.captions
    if captions is None:
        yield "add captions if you want to train or score: no photo has one (docs/formats.md shows the forms)"
        return
    if not any(record.references for record in diagnosis.of("train")):
        yield "add captions to training photos: there are none, so training is impossible"
    elif not any(record.references for record in diagnosis.of("val")):
        yield "move some captioned photos to val: without it, training keeps the last weights instead of the best"
    if captions.unspaced:
        yield "train with tokenizer=sentencepiece evaluate.words=characters: the captions have no blanks between words"
    room = captions.words.most_of_them + SPECIAL
    if diagnosis.max_length is not None and room > diagnosis.max_length:
        yield f"set decode.max_length={room}: more than 1 caption in 20 is longer than {diagnosis.max_length} allows"
    for what in ("in a wrong encoding", "with markup"):
        if rows := captions.odd.get(what):
            yield f"clean {count(len(rows), 'caption')} {what}"
