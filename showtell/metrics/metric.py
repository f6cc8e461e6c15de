"""What a metric is: texts -> one row of statistics per image -> the value of any sum of rows.

A sum of rows stands for a corpus, a resample of it, or one image. So n-grams are counted once, and a bootstrap of 1,000
resamples only adds rows.
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
    from torch import Tensor  # for type checkers only: scoring texts does not load torch

Rows = NDArray[Any]


class Rule(Protocol):
    """How a cosine becomes a score: `weight` times the cosine of the photo and `prefix` + caption."""

    @property
    def weight(self) -> float: ...
    @property
    def prefix(self) -> str: ...
    @property
    def each(self) -> bool:
        """Whether each negative cosine counts as 0; if not, only a negative mean does."""

    @property
    def references(self) -> bool:
        """Whether this protocol defines RefCLIPScore."""


class PhotosAndTexts(Protocol):
    """The model that CLIPScore needs: photos and texts -> vectors in one space, one per row, of length 1."""

    protocol_name: str

    @property
    def protocol(self) -> Rule: ...
    @property
    def signature(self) -> str: ...
    def load(self) -> None: ...
    def embed_photos(self, photos: Sequence[Path]) -> "Tensor": ...
    def embed_texts(self, texts: Sequence[str]) -> "Tensor": ...


class Texts:
    """The tokenized candidate and references of each image. Their n-grams are counted on first use.

    `said` and `known` are the same texts untokenized. `photos`, `training` (untokenized training captions) and `clip`
    are None unless given; only some metrics need them.
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
        words: str = NAME,
    ) -> None:
        self.words = words  # how they were tokenized
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
    """Rows with one figure: the mean over the images."""
    return np.asarray(sums[..., 0] / images)


def ratio(sums: Rows, images: Any) -> Rows:
    """Rows of (part, whole): the share over all images, sum of parts / sum of wholes; 0 if the wholes are 0."""
    part, whole = sums[..., 0], sums[..., 1]
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def shares(rows: Rows) -> Rows:
    """Rows of (part, whole) -> what each image contributes to the share over all images, in two ways (images, 2).

    The mean of each way is the share. With parts 1, 0, 0 and wholes 2, 4, 6 the share is 1/12, the mean whole is 4:

        part / mean whole                      .250  .000  .000    the means of both are 1/12
        .. + share * (1 - whole / mean whole)  .292  .000 -.042

    The second way is the share's influence function (the delta method for a ratio). Its variance is right if the wholes
    vary. But it gives small values to images without a part, and so hides how few images have one. The first way shows
    how few, but its variance is too small if larger wholes bring no more parts. So a test takes the larger p of both.
    """
    part, whole = rows[:, 0], rows[:, 1]
    total = whole.sum()
    if total == 0:
        return np.zeros((len(rows), 2))
    counted, weight = part * (len(rows) / total), whole * (len(rows) / total)
    return np.column_stack([counted, counted + part.sum() / total * (1 - weight)])


def shown(value: float, digits: int = 4, sign: str = "") -> str:
    """A number with its metric's digits: a vocabulary of 1,087 words is no 1087.0000.

    >>> shown(0.12345), shown(1087.0, 0), shown(9.5, 2, "+")
    ('0.1235', '1,087', '+9.50')
    """
    return f"{value:{sign},.{digits}f}"


def _nothing(texts: Texts | None) -> str | None:
    return None


def _no_facts(texts: Texts) -> str:
    return ""


class Metric(NamedTuple):
    """How a number is made. If the value is a mean over the images, `statistics` is enough.

    - `statistics(texts)` -> (images, figures).
    - `value(sums (..., figures), images (...))` -> (...): `sums` are added rows, `images` says how many were added.
    - `missing(texts)` says why the metric cannot be computed and what to do, or None. `missing(None)` asks only whether
      this machine has the programs and packages.
    - `contributions(rows)` -> (images, ways): what each image contributes to the value. The mean of each way is the
      value, and a paired test takes the largest p of the ways.
    """

    statistics: Callable[[Texts], Rows]
    value: Callable[[Rows, Any], Rows] = mean
    facts: Callable[[Texts], str] = _no_facts  # more text for its signature
    missing: Callable[[Texts | None], str | None] = _nothing
    group: Literal["standard", "hidden", "more"] = "more"  # `more`: computed only if named
    lower: bool = False  # whether lower is better
    tokens: str = NAME  # how its texts are tokenized, for the signature
    digits: int = 4  # that are shown after the point
    resampled: bool = True  # False: no intervals, because an image drawn twice would change the value
    contributions: Callable[[Rows], Rows] | None = None
