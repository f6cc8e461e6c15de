"""CIDEr-D (Vedantam et al. 2015) as coco-caption computes it. coco-caption prints it as "CIDEr".

It is 10 times the mean, over n = 1 to 4 and over the references, of the clipped tf-idf cosine times a length penalty.
The weights (tf-idf) favour rare n-grams: among 100 images, a word that all have weighs log(100 / 100) = 0, a word that
one has log(100 / 1) = 4.6. The penalty is Gaussian: a difference of 3 in length gives exp(-9 / 72) = .88.

Unusual, all as in coco-caption: term frequencies are plain counts. A length is the number of 2-grams. An n-gram that no
reference has counts as if one image had it. With a single image every weight is log 1 - log 1 = 0, so the score is 0.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, Rows, Texts
from showtell.metrics.ngrams import ORDERS, Counts, Ints, References, distinct

SIGMA = 6.0
Floats = NDArray[np.float64]


class CiderD:
    """References that are prepared once; candidates can be scored against them many times, as a reward in training.

    >>> cider = CiderD([["a black dog runs"], ["two red cars"]])
    >>> cider.scores(["a black dog runs", "a black dog"], images=[0, 0]).round(3).tolist()
    [10.0, 5.892]
    """

    def __init__(
        self, references: Sequence[Sequence[str]] | References, frequencies_of: Sequence[Sequence[str]] | None = None
    ) -> None:
        """`references`: tokenized captions of each image. `frequencies_of`: of other images, for document frequencies.

        If `references` are already prepared, they must have been prepared with the same `frequencies_of`.
        """
        if not isinstance(references, References):
            references = References(references, frequencies_of)
        self._references = references
        self._idf = _idf(self._references, frequencies_of)
        counts, texts = self._references.counts, len(self._references.image)
        self._weights = self._weigh(counts)
        self._norms = np.sqrt(counts.sums(self._weights**2, texts))  # (references, 4)
        self._lengths = counts.sums(counts.times, texts)[:, 1]

    def scores(self, candidates: Sequence[str], images: Sequence[int] | None = None) -> Floats:
        """The score of each tokenized candidate against the references of its image.

        `images` gives the place of each candidate's image; without it, candidate i describes image i.
        """
        places = np.arange(len(candidates)) if images is None else np.asarray(images, dtype=np.int64)
        counts = self._references.index.count(candidates)
        return self.compare(counts, places, self._references.meet(counts, places))

    def compare(self, counts: Counts, images: Ints, met: tuple[Ints, Ints]) -> Floats:
        """`scores` for candidates whose n-grams are already counted and matched with the references (`met`)."""
        candidate, reference, cosines = self.cosines(counts, images, met, clipped=True)
        lengths = counts.sums(counts.times, len(images))[:, 1]
        penalty = np.exp(-((lengths[candidate] - self._lengths[reference]) ** 2) / (2 * SIGMA**2))
        many = self._references.many[images]
        return 10 * np.bincount(candidate, cosines.mean(axis=1) * penalty, len(images)) / many

    def cosines(self, counts: Counts, images: Ints, met: tuple[Ints, Ints], clipped: bool) -> tuple[Ints, Ints, Floats]:
        """Pair each candidate with each reference of its image: both places (pairs), tf-idf cosines (pairs, 4)."""
        references = self._references
        many = references.many[images]
        start = np.cumsum(many) - many  # where the pairs of each candidate start
        candidate = np.repeat(np.arange(len(images)), many)  # of each pair
        reference = np.arange(len(candidate)) + (references.first[images] - start)[candidate]

        ours, theirs = met
        weights = self._weigh(counts)
        pair = (start - references.first[images])[counts.text[ours]] + references.counts.text[theirs]
        weight = np.minimum(weights[ours], self._weights[theirs]) if clipped else weights[ours]
        products = weight * self._weights[theirs]
        dots = np.bincount(pair * ORDERS + counts.order[ours], products, len(candidate) * ORDERS).reshape(-1, ORDERS)

        norms = np.sqrt(counts.sums(weights**2, len(images)))[candidate] * self._norms[reference]
        return candidate, reference, np.divide(dots, norms, out=np.zeros_like(norms), where=norms > 0)

    def alike(self, texts: Ints) -> Floats:
        """Score some references (given by place) against each other: row as candidate, column as its only reference.

        Clipping needs min(a, b) of two counts. That is how many s = 1, 2, .. have a >= s and b >= s, so one matrix
        product for each s is enough. Few n-grams occur twice in a caption, so the products after the first are small.
        """
        rows, owner = self._rows_of(texts)
        gram, order, times = (column[rows] for column in self._references.counts[1:])
        grams = distinct(gram)
        norms, column = self._norms[texts][owner, order], np.searchsorted(grams, gram)
        weight = np.divide(self._idf[gram], norms, out=np.zeros_like(norms), where=norms > 0)
        cosines = np.zeros((len(texts), len(texts)))
        for least in range(1, int(times.max(initial=0)) + 1):
            often = np.flatnonzero(times >= least)
            columns = distinct(column[often])
            at = owner[often], np.searchsorted(columns, column[often])
            ours, theirs = np.zeros((2, len(texts), len(columns)))
            ours[at], theirs[at] = weight[often], weight[often] * times[often]
            cosines += ours @ theirs.T
        lengths = self._lengths[texts]
        penalty = np.exp(-((lengths[:, None] - lengths) ** 2) / (2 * SIGMA**2))
        return np.asarray(10 * cosines / ORDERS * penalty)

    def _rows_of(self, texts: Ints) -> tuple[Ints, Ints]:
        """The count rows of these references, and for each row the index in `texts` of its reference."""
        ordered, start = self._by_text
        many = start[texts + 1] - start[texts]
        owner = np.repeat(np.arange(len(texts)), many)
        within = np.arange(len(owner)) - (np.cumsum(many) - many)[owner]
        return ordered[start[texts][owner] + within], owner

    @cached_property
    def _by_text(self) -> tuple[Ints, Ints]:
        text = self._references.counts.text
        ordered = np.argsort(text, kind="stable")
        return ordered, np.searchsorted(text[ordered], np.arange(len(self._references.image) + 1))

    def _weigh(self, counts: Counts) -> Floats:
        return counts.times * self._idf[np.minimum(counts.gram, len(self._idf) - 1)]


def _idf(references: References, frequencies_of: Sequence[Sequence[str]] | None) -> Floats:
    """log(images) - log(images that have it) of each n-gram -> (n-grams + 1,). The last is for an unknown n-gram."""
    index, image, counts, images = references.index, references.image, references.counts, len(references.many)
    if frequencies_of is not None:
        image = np.repeat(np.arange(len(frequencies_of)), [len(of_image) for of_image in frequencies_of])
        counts = index.count([text for of_image in frequencies_of for text in of_image])
        images = len(frequencies_of)
    known = counts.gram < index.size
    once = distinct(image[counts.text[known]] * index.size + counts.gram[known])
    having = np.append(np.bincount(once % index.size, minlength=index.size), 0)
    return np.log(images) - np.log(np.maximum(1, having))


def statistics(texts: Texts) -> Rows:
    """CIDEr-D of each image -> (images, 1). Document frequencies come from `frequencies_of`, or else the references."""
    cider = CiderD(texts.prepared, texts.frequencies_of)
    return cider.compare(texts.counts, np.arange(len(texts.candidates)), texts.met)[:, None]


def frequencies(texts: Texts) -> str:
    """Where the document frequencies come from, for the signature."""
    given = texts.frequencies_of
    return "df evaluated references" if given is None else f"df of {len(given)} given images"


CIDER_D = Metric(statistics, facts=frequencies, group="standard")
