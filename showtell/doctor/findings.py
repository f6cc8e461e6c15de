"""A diagnosis -> sections of findings, each with what to do about it, and the short list of what is worth doing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from showtell.data.record import LeftOut
from showtell.doctor.captions import SPECIAL
from showtell.doctor.copies import KINDS, Copies
from showtell.doctor.examine import SPLITS, Diagnosis
from showtell.plumbing.messages import count, printable

ADVICE = {  # what is odd about photos that can be read -> what it means
    "turned by EXIF": "read upright",
    "grey": "read as they are",
    "CMYK": "read; colours may differ a little from what other programs show",
    "16 bits or more": "read with all shades, scaled to 8 bits",
    "transparent": "read over white",
    "animated": "the first frame is read",
    "wrong suffix": "read by what is in them, whatever they are called",
    "tiny": "under 32 pixels: a captioner sees little in them; take them out if they are thumbnails by mistake",
    "huge": "over 4,000 pixels: read, slowly and once (features are cached)",
    "long and narrow": "3 times as long as wide or more: squeezed into a square they look strange",
    "plain": "nearly one colour all over: look whether the right picture is in the file",
}


class Finding(NamedTuple):
    """One line, and where there is something to do about it, what."""

    text: str
    advice: str = ""


@dataclass(frozen=True)
class Part:
    """A section; `names` are lists of (name, what about it) under a title, `table` rows under a header."""

    title: str
    findings: Sequence[Finding]
    names: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    table: Sequence[Sequence[str]] = ()


def findings(diagnosis: Diagnosis) -> list[Part]:
    """All sections but the last, which is `to_do`."""
    parts = [_data(diagnosis), _photos(diagnosis), _odd(diagnosis), _copies(diagnosis)]
    return parts + ([_captions(diagnosis), _vocabulary(diagnosis)] if diagnosis.captions else [])


def _data(diagnosis: Diagnosis) -> Part:
    rows = []
    for split in SPLITS:
        records = diagnosis.of(split)
        captioned = sum(bool(record.references) for record in records)
        rows.append([split, f"{len(records):,}", f"{captioned:,}", f"{sum(len(r.references) for r in records):,}"])
    return Part(
        "Data",
        [Finding(f"taken for {diagnosis.form}")],
        table=[["split", "photos", "with captions", "captions"], *rows],
    )


def _photos(diagnosis: Diagnosis) -> Part:
    read = len(diagnosis.records) - len(diagnosis.unreadable)
    found = [Finding(f"{read:,} of {count(len(diagnosis.records), 'photo')} can be read")]
    names = []
    if diagnosis.unreadable:
        advice = "mend or replace them; training leaves them out"
        found.append(Finding(f"cannot be read: {_reasons(diagnosis.unreadable)}", advice))
        names.append(("cannot be read", _named(diagnosis.unreadable)))
    if diagnosis.left_out:
        advice = "correct the captions' file or add what is missing; training leaves them out"
        found.append(Finding(f"left out of what the files list: {_reasons(diagnosis.left_out)}", advice))
        names.append(("left out", _named(diagnosis.left_out)))
    if diagnosis.beside:
        advice = "nothing needs to be done: they are not used"
        found.append(Finding(f"{count(len(diagnosis.beside), 'photo')} in the same folders without captions", advice))
        names.append(("without captions", [(printable(path.name), "") for path in diagnosis.beside]))
    return Part("Photos", found, names)


def _reasons(left_out: Iterable[LeftOut]) -> str:
    """`3 truncated, 1 empty file`; the names are listed below."""
    counts: dict[str, int] = {}
    for _, reason in left_out:
        counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(f"{n:,} {printable(reason)}" for reason, n in sorted(counts.items(), key=lambda item: -item[1]))


def _named(left_out: Iterable[LeftOut]) -> list[tuple[str, str]]:
    return [(printable(name), printable(reason)) for name, reason in left_out]


def _odd(diagnosis: Diagnosis) -> Part:
    found = [Finding(f"{len(names):,} {what}", ADVICE[what]) for what, names in diagnosis.odd.items()]
    names = [(what, [(printable(name), "") for name in names]) for what, names in diagnosis.odd.items()]
    if diagnosis.sizes:
        size, most = diagnosis.sizes.most_common(1)[0]
        text = (
            f"all are {size}"
            if len(diagnosis.sizes) == 1
            else f"{len(diagnosis.sizes):,} sizes; most often {size} ({most:,})"
        )
        found.insert(0, Finding(text))
    return Part("Odd but read", found, names)


def _copies(diagnosis: Diagnosis) -> Part:
    found = [Finding(text) for text in _copies_by_kind(diagnosis.copies)] or [Finding("no photo stands twice")]
    for split in SPLITS[1:]:
        if leaked := diagnosis.held_out_copies(split):
            advice = "scores there are too good: take the copies out of train"
            text = f"train has copies of {len(leaked):,} of {count(len(diagnosis.of(split)), f'{split} photo')}"
            found.append(Finding(text, advice))
    if any(len(copies.splits) == 1 for copies in diagnosis.copies):
        found.append(Finding("copies within a split", "harmless; they count twice in training or in scores"))
    if diagnosis.not_compared:
        found.append(Finding(f"{diagnosis.not_compared:,} pairs look alike from afar and were not compared closely"))
    rows = [(", ".join(f"{printable(r.image_id)} ({r.split})" for r in c.records), c.kind) for c in diagnosis.copies]
    return Part("Copies", found, [("copies", rows)] if rows else [])


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
    found = [
        Finding(
            f"{_range(each.least, each.most)} a photo"
            + (f", {each.median} at the median" if each.least < each.most else "")
        ),
        Finding(
            f"{_range(words.least, words.most)} words long: {words.median} at the median, 95 % have at most "
            f"{words.most_of_them}; decode.max_length={words.most_of_them + SPECIAL} has room for these"
        ),
    ]
    limit = diagnosis.max_length
    if limit is not None and (longer := captions.longer(limit - SPECIAL)):
        text = f"{count(longer, 'caption')} of more words than decode.max_length={limit} lets a captioner say"
        room = SPECIAL + (words.most_of_them if words.most_of_them + SPECIAL > limit else words.most)
        found.append(Finding(text, f"decode.max_length={room}, or shorter captions"))
    if captions.repeated:
        text = f"{count(captions.repeated, 'caption')} of {count(captions.repeated_photos, 'photo')} repeat another"
        found.append(Finding(f"{text} of the same photo", "usual in some sets; such captions weigh more in training"))
    for split, (seen, total) in captions.seen_in_train.items():
        if seen:
            text = f"{seen / total:.0%} of {split}'s captions stand word for word in train ({seen:,} of {total:,})"
            many = (
                "captions repeat: compare scores with the recipe nearest, which only repeats"
                if seen > total / 10
                else ""
            )
            found.append(Finding(text, many))
    if set(captions.scripts) - {"Latin"}:
        scripts = ", ".join(f"{script} {n:,}" for script, n in captions.scripts.items())
        found.append(Finding(f"scripts: {scripts}", "the tokenizer words follows English rules"))
    found += [Finding(f"{len(rows):,} {what}", "look at them: listed below") for what, rows in captions.odd.items()]
    names = [(what, [(printable(i), printable(text)) for i, text in rows]) for what, rows in captions.odd.items()]
    return Part("Captions", found, names)


def _range(least: int, most: int) -> str:
    return f"{least} to {most}" if least < most else str(most)


def _vocabulary(diagnosis: Diagnosis) -> Part:
    captions = diagnosis.captions
    assert captions is not None
    rows = [["min_count", "words", "of training's words", "unknown in validation"]]
    for v in captions.vocabularies:
        unknown = "" if v.unknown is None else f"{v.unknown:.1%}"
        rows.append([str(v.min_count), f"{v.words:,}", f"{v.covered:.1%}", unknown])
    if captions.min_count is None:
        return Part("Vocabulary", [Finding("no training captions, so no vocabulary")])
    text = f"tokenizer.min_count={captions.min_count} keeps what can be learnt: the highest that makes no more than "
    return Part("Vocabulary", [Finding(f"{text}2 % of all words unknown that 2 would keep")], table=rows)


def to_do(diagnosis: Diagnosis) -> list[str]:
    """What is worth doing, the most pressing first; empty where there is nothing to mend."""
    return [*_to_do_photos(diagnosis), *_to_do_captions(diagnosis)]


def _to_do_photos(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.unreadable:
        yield f"mend or replace {count(len(diagnosis.unreadable), 'photo')} that cannot be read"
    if diagnosis.left_out:
        verb = "is" if len(diagnosis.left_out) == 1 else "are"
        yield f"look at {count(len(diagnosis.left_out), 'row')} of the captions' files that {verb} left out"
    for split in SPLITS[1:]:
        if leaked := diagnosis.held_out_copies(split):
            yield f"take the copies of {count(len(leaked), f'{split} photo')} out of train"
    if names := diagnosis.odd.get("tiny"):
        yield f"look at {count(len(names), 'tiny photo')}: {printable(names[0])}"


def _to_do_captions(diagnosis: Diagnosis) -> Iterator[str]:
    captions = diagnosis.captions
    if captions is None:
        return
    if not any(record.references for record in diagnosis.of("train")):
        yield "give training photos captions: there are none, so nothing can be trained"
    elif not any(record.references for record in diagnosis.of("val")):
        yield "hold some captioned photos out as val: without it the last weights count as the best"
    room = captions.words.most_of_them + SPECIAL
    if diagnosis.max_length is not None and room > diagnosis.max_length:
        yield f"decode.max_length={room}: more than 1 caption in 20 is longer than it allows"
    for what in ("in a wrong encoding", "with markup"):
        if rows := captions.odd.get(what):
            yield f"clean {count(len(rows), 'caption')} {what}"
