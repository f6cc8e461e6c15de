"""CIDEr as the paper defines it (Vedantam et al. 2015, arXiv:1411.5726, section 4): a mean tf-idf cosine, from 0 to 1.

The mean is over n = 1 to 4 and over the references. The factor 10, the clipping and the length penalty are CIDEr-D's.

Unusual: words are not stemmed, as in every released program. The paper stems them first, but does not name its stemmer.
An n-gram that no reference has counts as if one image had it.
"""

import numpy as np

from showtell.metrics.cider import CiderD, frequencies
from showtell.metrics.metric import Metric, Rows, Texts


def statistics(texts: Texts) -> Rows:
    """CIDEr of each image -> (images, 1). Document frequencies come from `frequencies_of`, or else the references."""
    cider, images = CiderD(texts.prepared, texts.frequencies_of), np.arange(len(texts.candidates))
    candidate, _, cosines = cider.cosines(texts.counts, images, texts.met, clipped=False)
    return (np.bincount(candidate, cosines.mean(axis=1), len(images)) / texts.prepared.many)[:, None]


def facts(texts: Texts) -> str:
    return f"cosine of the paper, 0 to 1, no stemming|{frequencies(texts)}"


CIDER = Metric(statistics, facts=facts)
