"""CIDEr as the paper defines it (Vedantam et al. 2015, arXiv:1411.5726, section 4): the mean, over n = 1 to 4 and over
the references, of the tf-idf cosine. From 0 to 1: the factor of 10 belongs to CIDEr-D, and so do clipping and length.

Unusual: words are compared as they stand, as every released program does, where the paper has them stemmed first by a
stemmer that it does not name; an n-gram that no reference has counts as one that one image has.
"""

import numpy as np

from showtell.metrics.cider import CiderD, frequencies
from showtell.metrics.metric import Metric, Rows, Texts


def statistics(texts: Texts) -> Rows:
    """CIDEr of each image -> (images, 1); document frequencies from these references unless a corpus is given."""
    cider, images = CiderD(texts.prepared, texts.frequencies_of), np.arange(len(texts.candidates))
    candidate, _, cosines = cider.cosines(texts.counts, images, texts.met, clipped=False)
    return (np.bincount(candidate, cosines.mean(axis=1), len(images)) / texts.prepared.many)[:, None]


def facts(texts: Texts) -> str:
    return f"cosine of the paper, 0 to 1, no stemming|{frequencies(texts)}"


CIDER = Metric(statistics, facts=facts)
