"""Photos, labels and a model -> a label for each photo, and what is needed to judge them."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from showtell.cache import Source, open_source
from showtell.captioners.captioner import Captioner
from showtell.clip import Clip
from showtell.data.images import open_image, upright_rgb
from showtell.data.record import Record
from showtell.plumbing.console import Plain
from showtell.plumbing.errors import InputError
from showtell.plumbing.progress import Bar
from showtell.predict.photos import find_photos
from showtell.zeroshot.labels import Labels, read_labels
from showtell.zeroshot.models import Scorer, SeesOnce, open_model
from showtell.zeroshot.prompts import DEFAULT, read_prompts
from showtell.zeroshot.truth import Truth, read_truth
from showtell.zeroshot.ways import Way, ways_of

BATCH_SIZE = 16  # photos
Floats = NDArray[np.float64]
Scored = tuple[list[str], torch.Tensor]  # image_ids, and their scores (B W L)


class Guess(NamedTuple):
    """A label, as it is written in a CSV, and its probability among the labels."""

    label: str
    probability: float


@dataclass
class Classified:
    """`scores` are of the last way, which gives the answer; `ranks` say for each way how many labels beat the truth.

    A photo that cannot be read is in `failed`, with the reason, and in no array.
    """

    photos: dict[str, Path]
    labels: Labels
    ways: list[Way]
    image_ids: list[str]  # the rows of the arrays
    scores: Floats  # photos, labels
    scale: float
    model: str
    notes: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    truth: Truth = field(default_factory=dict)
    ranks: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))  # with a truth; ways

    @property
    def judged(self) -> list[str]:
        """The photos whose truth is known, in the order of `ranks`."""
        return [image_id for image_id in self.image_ids if image_id in self.truth]

    @property
    def probabilities(self) -> Floats:
        logits = self.scale * self.scores
        likely = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    @property
    def order(self) -> NDArray[np.int64]:
        """Places of the labels (photos, labels), the likeliest first; of equals the first of the list."""
        return np.argsort(-self.scores, axis=1, kind="stable")


def classify(
    photos: str | Path | Image.Image | Sequence[str | Path | Image.Image],
    labels: str | Path | Sequence[str] | Mapping[Any, Any],
    prompts: str | Sequence[str] = DEFAULT,
    model: str | Path | Captioner | Clip = "tiny",
    *,
    scale: float | None = None,
) -> list[Guess]:
    """The likeliest label of each photo: `showtell classify` from Python. Returns (label, probability) pairs in order.

    `photos` are paths, folders or PIL images; `labels` a list of names, or what `--labels` takes; `prompts` a set's
    name, a prompt with `{}`, or several, which then make an ensemble. `model` is a CLIP, or any Showtell captioner.
    A photo that cannot be read gets the first label with probability 0, and a warning says why.

    Raises InputError for labels with gaps or duplicates, a prompt without `{}`, a path that does not exist, and a model
    that cannot be loaded.

    >>> classify(["photo.jpg"], ["cat", "dog"])  # doctest: +SKIP
    [Guess(label='cat', probability=0.6)]
    """
    single = isinstance(photos, str | Path | Image.Image)
    every: list[Any] = [photos] if single else list(photos)  # type: ignore[arg-type]
    pictures = [photo for photo in every if isinstance(photo, Image.Image)]
    if pictures and len(pictures) < len(every):
        raise InputError("photos are paths and PIL images mixed; give a list of one kind")
    found = {} if pictures or not every else find_photos([Path(photo) for photo in every])
    chosen, asked = read_labels(labels, found.values()), read_prompts(prompts)
    if not every:
        return []
    scorer = open_model(model, scale=scale)
    if pictures:
        seen = classify_pictures(scorer, pictures, chosen, asked)
    else:
        seen = classify_photos(scorer, found, chosen, asked)
    return guesses(seen)


def guesses(found: Classified) -> list[Guess]:
    likely, first = found.probabilities, found.order[:, 0]
    rows = {image_id: row for row, image_id in enumerate(found.image_ids)}
    said = []
    for image_id in found.photos:
        row = rows.get(image_id)
        if row is None:
            warnings.warn(f"{image_id} gets the first label: {found.failed[image_id]}", stacklevel=3)
            said.append(Guess(found.labels.keys[0], 0.0))
        else:
            said.append(Guess(found.labels.keys[first[row]], float(likely[row, first[row]])))
    return said


def classify_photos(
    scorer: Scorer,
    photos: Mapping[str, Path],
    labels: Labels,
    prompts: Sequence[str],
    truth: Truth | None = None,
    console: Console | None = None,
) -> Classified:
    """Each photo is seen once by the feature cache. Raises InputError if none can be read."""
    ways = ways_of(labels, prompts)
    scorer.ask(ways)
    records = [Record(image_id, path, (), "") for image_id, path in photos.items()]
    quiet = console or Plain(stderr=True, quiet=True)
    failed: dict[str, str] = {}
    if isinstance(scorer, SeesOnce):
        source = open_source(records, scorer.encoder, console=quiet, progress=console is not None, announce=False)
        records, failed = source.records, {each.name: each.reason for each in source.left_out}
        scored = _from_cache(scorer, source)
    else:
        scored = _from_photos(scorer, records, failed)
    image_ids, scores, ranks = _score(scored, len(records), truth or {}, console)
    if not image_ids:
        raise InputError(f"none of {len(photos):,} photos can be read: {next(iter(failed.values()))}")
    return Classified(
        photos=dict(photos),
        labels=labels,
        ways=ways,
        image_ids=image_ids,
        scores=scores,
        ranks=ranks,
        truth=truth or {},
        failed=failed,
        scale=scorer.scale,
        model=scorer.name,
        notes=scorer.notes,
    )


def classify_files(
    photos: Path, labels: Path, prompts: Sequence[str], model: str, truth: str, console: Console | None = None
) -> Classified:
    """As `showtell classify` does: a folder of photos, a file of labels; `truth` is what `--truth` takes."""
    found = find_photos([photos])
    chosen = read_labels(str(labels), found.values())
    known = read_truth(truth, found, chosen)
    return classify_photos(open_model(model, console=console), found, chosen, read_prompts(prompts), known, console)


def classify_pictures(
    scorer: Scorer, pictures: Sequence[Image.Image], labels: Labels, prompts: Sequence[str]
) -> Classified:
    ways = ways_of(labels, prompts)
    scorer.ask(ways)
    rows = []
    for start in range(0, len(pictures), BATCH_SIZE):
        some = [upright_rgb(picture) for picture in pictures[start : start + BATCH_SIZE]]
        rows.append(scorer.scores_of(some)[:, -1])
    ids = [str(number) for number in range(len(pictures))]
    return Classified(
        photos=dict.fromkeys(ids, Path()),
        labels=labels,
        ways=ways,
        image_ids=ids,
        scores=torch.cat(rows).double().cpu().numpy(),
        scale=scorer.scale,
        model=scorer.name,
        notes=scorer.notes,
    )


@torch.no_grad()  # an encoder that trains would keep what its gradients need, of every photo
def _score(
    scored: Iterable[Scored], photos: int, truth: Truth, console: Console | None
) -> tuple[list[str], Floats, NDArray[np.int64]]:
    """Who was scored, the scores of the last way, and the ranks of the truth by every way."""
    image_ids, last, ranks, ways = list[str](), list[Floats](), list[NDArray[np.int64]](), 1
    with Bar(console or Plain(stderr=True), "classifying", photos, "photo", show=console is not None) as bar:
        for some, found in scored:
            bar.advance(len(some))
            scores, ways = found.double().cpu().numpy(), found.shape[1]
            image_ids += some
            last.append(scores[:, -1])
            places = [truth.get(image_id) for image_id in some]
            ranks += [rank_of(scores[row], place) for row, place in enumerate(places) if place is not None]
    every = np.concatenate(last) if last else np.zeros((0, 0))
    return image_ids, every, np.array(ranks, dtype=np.int64).reshape(-1, ways)


def _from_cache(scorer: SeesOnce, source: Source) -> Iterator[Scored]:
    for start in range(0, len(source), BATCH_SIZE):
        rows = range(start, min(start + BATCH_SIZE, len(source)))
        yield [source.records[row].image_id for row in rows], scorer.scores(source(list(rows)))


def _from_photos(scorer: Scorer, records: Sequence[Record], failed: dict[str, str]) -> Iterator[Scored]:
    """A photo that cannot be read goes into `failed`."""
    for start in range(0, len(records), BATCH_SIZE):
        opened: dict[str, Image.Image] = {}
        for record in records[start : start + BATCH_SIZE]:
            try:
                opened[record.image_id] = open_image(record.path)
            except InputError as error:
                failed[record.image_id] = error.wrong
        if opened:
            yield list(opened), scorer.scores_of(list(opened.values()))


def rank_of(scores: Floats, place: int) -> NDArray[np.int64]:
    """How many labels come before the truth, for each way: 0 if it is the answer.

    >>> rank_of(np.array([[0.2, 0.5, 0.3]]), place=2).tolist()
    [1]
    """
    own = scores[:, place : place + 1]
    return np.asarray((scores > own).sum(axis=1) + (scores[:, :place] == own).sum(axis=1))
