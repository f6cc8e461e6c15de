"""What a metric is: texts -> one row of statistics per image -> the value of any sum of rows.

Such a sum is a corpus, a resample of it, or one image. Statistics come first and are added up after, so a bootstrap
never counts an n-gram twice.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.ngrams import Counts, Ints, References
from showtell.metrics.tokenize import NAME

if TYPE_CHECKING:
    from torch import Tensor  # only its name: scoring texts does not wait for torch

Rows = NDArray[Any]


class Rule(Protocol):
    """How a cosine becomes a score: `weight` times the cosine of the photo and `prefix` + caption."""

    @property
    def weight(self) -> float: ...
    @property
    def prefix(self) -> str: ...
    @property
    def each(self) -> bool:
        """Whether every negative cosine counts as 0, or only a negative mean does."""

    @property
    def references(self) -> bool:
        """Whether there is a RefCLIPScore of this scale."""


class PhotosAndTexts(Protocol):
    """The model that CLIPScore is handed: photos and texts -> vectors of one space, of length 1, one a row."""

    protocol_name: str

    @property
    def protocol(self) -> Rule: ...
    @property
    def signature(self) -> str: ...
    def load(self) -> None: ...
    def embed_photos(self, photos: Sequence[Path]) -> "Tensor": ...
    def embed_texts(self, texts: Sequence[str]) -> "Tensor": ...


class Texts:
    """The tokenized candidate and references of each image; their n-grams are counted when first asked for.

    `said` and `known` are the same texts as they were written. `photos`, `training` (training captions as written) and
    `clip` are there for the metrics that ask for them, and None if nobody gave any.
    """

    def __init__(
        self,
        candidates: Sequence[str],
        references: Sequence[Sequence[str]],
        *,
        said: Sequence[str] | None = None,
        known: Sequence[Sequence[str]] | None = None,
        frequencies_of: Sequence[Sequence[str]] | None = None,
        training: Sequence[str] | None = None,
        photos: Sequence[Path] | None = None,
        clip: PhotosAndTexts | None = None,
    ) -> None:
        self.candidates, self.references = candidates, references
        self.said = candidates if said is None else said
        self.known = references if known is None else known
        self.frequencies_of, self.training, self.photos, self.clip = frequencies_of, training, photos, clip

    @cached_property
    def prepared(self) -> References:
        return References(self.references, self.frequencies_of)

    @cached_property
    def counts(self) -> Counts:
        return self.prepared.index.count(self.candidates)

    @cached_property
    def met(self) -> tuple[Ints, Ints]:
        return self.prepared.meet(self.counts, np.arange(len(self.candidates)))


def mean(sums: Rows, images: Any) -> Rows:
    """Rows of one figure: its mean over the images."""
    return np.asarray(sums[..., 0] / images)


def ratio(sums: Rows, images: Any) -> Rows:
    """Rows of (part, whole): the share over all images; 0 where there is no whole."""
    part, whole = sums[..., 0], sums[..., 1]
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def shares(rows: Rows) -> Rows:
    """Rows of (part, whole) -> what each image contributes to the share over all, in two ways (images, 2).

    Both have the share as their mean. With parts 1, 0, 0 and wholes 2, 4, 6 the share is 1/12, the mean whole is 4:

        part / mean whole                      .250  .000  .000    the means of both are 1/12
        .. + share * (1 - whole / mean whole)  .292  .000 -.042

    The second is the share's influence function (the delta method for a ratio). Its variance is right if wholes vary.
    But images without a part get small values too, which hide how few images have one. The first shows how few; its
    variance is too small if larger wholes bring no more parts. So a test takes the larger p of both.
    """
    part, whole = rows[:, 0], rows[:, 1]
    total = whole.sum()
    if total == 0:
        return np.zeros((len(rows), 2))
    counted, weight = part * (len(rows) / total), whole * (len(rows) / total)
    return np.column_stack([counted, counted + part.sum() / total * (1 - weight)])


def _nothing(texts: Texts | None) -> str | None:
    return None


def _no_facts(texts: Texts) -> str:
    return ""


class Metric(NamedTuple):
    """How a number is made; a metric whose value is the mean over the images needs only `statistics`.

    `statistics(texts)` -> (images, figures), and `value(sums (..., figures), images (...))` -> (...), where sums are
    added rows and images says how many. `missing(texts)` says why the metric cannot be had and what to do, or nothing;
    asked with None, it says whether this machine has what it takes. `contributions(rows)` -> (images, ways) has
    the value as its mean: what each image contributes, in one way or more, of which a paired test takes the largest p.
    """

    statistics: Callable[[Texts], Rows]
    value: Callable[[Rows, Any], Rows] = mean
    facts: Callable[[Texts], str] = _no_facts  # what its signature must also say
    missing: Callable[[Texts | None], str | None] = _nothing
    group: Literal["standard", "hidden", "more"] = "more"  # of `more` each is scored only where it is asked for
    lower: bool = False  # whether less is better
    tokens: str = NAME  # how its texts became words, for the signature
    resampled: bool = True  # False: a figure of the whole set, which an image drawn twice would spoil
    contributions: Callable[[Rows], Rows] | None = None
