"""A sentence and an album -> the photos that fit the sentence best.

A CLIP compares the sentence with every photo. A captioner says how likely it finds the sentence as a caption of a
photo: the mean of its tokens' log-probabilities. That takes longer, so only a shortlist is asked: the photos whose own
captions share words with the sentence. Rare words count more, and words count by their stem: `cars` finds `car`.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from showtell.cache import encode_prepared, prepare
from showtell.metrics.meteor.stemmer import stem
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar
from showtell.predict.album.items import Fetch, Item, fetches, open_picture
from showtell.predict.album.look import is_captioned, rows
from showtell.predict.album.settings import read_settings
from showtell.predict.album.sources import Source
from showtell.zeroshot.models import Scorer, SeesOnce, is_captioner, open_model
from showtell.zeroshot.ways import Way

SHORTLIST = 200  # photos that a captioner is asked about, or ten times as many as wanted
MOST = 2000  # photos without captions that a captioner is asked about
BATCH_SIZE = 16
DEFAULT = "tiny"
WORD = re.compile(r"\w+")

Candidate = tuple[Item, str]  # a photo and its caption, or an empty text


class Hit(NamedTuple):
    item: Item
    caption: str
    score: float


@dataclass
class Found:
    """The best photos, the best first. `searched` counts the photos of the album."""

    sentence: str
    model: str
    unit: str
    searched: int = 0
    hits: list[Hit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(sentence: str, album: Path, model: str | None, top: int, console: Console | None = None) -> Found:
    """`album` is what `showtell caption` takes, or the folder of captions that it wrote. Raises InputError."""
    if not WORD.search(sentence):
        raise InputError("the sentence has no words", advice='for example: showtell find "a red car" album/')
    captioned = is_captioned(album)
    source = None if captioned else Source([album])
    if source is not None:
        source.check_some()
    if model is None:
        made_by = str(read_settings(album)["model"]) if captioned else DEFAULT
        model = made_by if is_captioner(made_by) else DEFAULT
    scorer = open_model(model, console=console)
    scorer.ask([Way("sentence", ((sentence,),))])
    found = Found(sentence, scorer.name, scorer.unit, notes=list(scorer.notes))
    candidates = _candidates(album) if source is None else ((item, "") for item in source.photos())
    if scorer.unit == "cosine":
        found.notes = []  # how probabilities are computed, which nobody asked for
        chosen = list(candidates)
        found.searched = len(chosen)
    elif captioned:
        chosen = _shortlist(sentence, album, max(SHORTLIST, 10 * top), found)
    else:
        chosen = list(islice(candidates, MOST + 1))
        found.searched = len(chosen)
        if len(chosen) > MOST:
            advice = (
                f"caption it first: showtell caption {album} --out captions/, then find in captions/; or give a CLIP"
            )
            raise InputError(f"has more than {MOST:,} photos without captions", key=str(album), advice=advice)
    scored = _scored(scorer, chosen, console)
    found.hits = nlargest(top, scored, key=lambda hit: hit.score)
    return found


def _candidates(folder: Path) -> Iterator[Candidate]:
    return ((item, row["caption"]) for item, row in rows(folder) if row["caption"] is not None)


def _shortlist(sentence: str, folder: Path, most: int, found: Found) -> list[Candidate]:
    """The photos whose captions share most with the sentence. Reads the captions twice, and keeps none of them."""
    wanted = _stems(sentence)
    has = Counter[str]()
    for _, caption in _candidates(folder):
        has.update(wanted & _stems(caption))
        found.searched += 1
    weights = {word: math.log((1 + found.searched) / number) for word, number in has.items()}
    if not weights:
        advice = "try other words, or a CLIP with --model"
        raise InputError(f"no caption has a word of {sentence!r}", key=str(folder), advice=advice)

    def shares(candidate: Candidate) -> float:
        words = _stems(candidate[1])
        return sum(weights[word] for word in wanted & words & weights.keys()) / math.sqrt(1 + len(words))

    chosen = nlargest(most, _candidates(folder), key=shares)
    found.notes.append(f"{len(chosen):,} of {found.searched:,} photos were looked at: their captions fit best.")
    return chosen


def _stems(text: str) -> set[str]:
    return {stem(word) for word in WORD.findall(text.lower())}


@torch.no_grad()
def _scored(scorer: Scorer, chosen: Sequence[Candidate], console: Console | None) -> Iterable[Hit]:
    """Photos that can no longer be read are passed over."""

    def prepared(item: Item, fetch: Fetch) -> Any:
        try:
            if not isinstance(scorer, SeesOnce):
                return open_picture(item.image_id, fetch(), None)
            at_least = None if scorer.encoder.exact else 2 * scorer.encoder.image_size
            return prepare(scorer.encoder, open_picture(item.image_id, fetch(), at_least))
        except InputError:
            return None

    show = console is not None
    with (
        ThreadPoolExecutor(4) as pool,
        Bar(console or Plain(stderr=True), "searching", len(chosen), "photo", show=show) as bar,
    ):
        for start in range(0, len(chosen), BATCH_SIZE):
            some = chosen[start : start + BATCH_SIZE]
            items = [item for item, _ in some]
            opened = list(pool.map(prepared, items, list(fetches(items))))
            good = [(pair, photo) for pair, photo in zip(some, opened, strict=True) if photo is not None]
            if good:
                photos = [photo for _, photo in good]
                if isinstance(scorer, SeesOnce):
                    scores = scorer.scores(encode_prepared(scorer.encoder, photos))
                else:
                    scores = scorer.scores_of(photos)
                best = scores[:, -1, 0].tolist()
                yield from (Hit(item, caption, score) for ((item, caption), _), score in zip(good, best, strict=True))
            bar.advance(len(some))
