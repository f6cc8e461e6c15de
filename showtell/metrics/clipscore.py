"""CLIPScore and RefCLIPScore (Hessel et al. 2021, arXiv:2104.08718): how well a caption fits its photo, seen by CLIP.

CLIPScore = w max(cos(photo, caption), 0). RefCLIPScore is the harmonic mean of CLIPScore and max(largest cos(caption,
reference), 0). With w = 2.5, a cosine of .3 gives CLIPScore .75; a best reference of .8 then gives RefCLIPScore .774.
The model gets the texts untokenized. The protocol sets w and the prefix of the texts.
"""

from collections.abc import Collection, Iterable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showtell.metrics.metric import Metric, PhotosAndTexts, Rows, Texts, mean
from showtell.plumbing.errors import InputError

LIBRARIES = ("transformers", "open_clip")
SEEING = ("CLIPScore", "RefCLIPScore")  # the metrics that look at photos
Vectors = NDArray[np.float64]  # one per row, of length 1


def _photos(texts: Texts) -> Vectors:
    assert texts.clip is not None and texts.photos is not None
    return texts.clip.embed_photos(texts.photos).double().cpu().numpy()


def _embed(clip: PhotosAndTexts, texts: Iterable[str]) -> Vectors:
    return clip.embed_texts([clip.protocol.prefix + text for text in texts]).double().cpu().numpy()


def clipscore(texts: Texts) -> Rows:
    assert texts.clip is not None
    protocol = texts.clip.protocol
    cosines = (_photos(texts) * _embed(texts.clip, texts.said)).sum(axis=1)
    return protocol.weight * (np.maximum(cosines, 0) if protocol.each else cosines)[:, None]


def ref_clipscore(texts: Texts) -> Rows:
    """References get the same prefix as candidates, as in the code of the paper's authors."""
    assert texts.clip is not None
    captions = _embed(texts.clip, texts.said)
    fits = texts.clip.protocol.weight * np.maximum((_photos(texts) * captions).sum(axis=1), 0)
    known = _embed(texts.clip, (text for of_image in texts.known for text in of_image))
    of_images = np.split(known, np.cumsum([len(of_image) for of_image in texts.known])[:-1])
    nearest = [(some @ caption).max() for some, caption in zip(of_images, captions, strict=True)]
    agrees = np.maximum(nearest, 0)
    both = fits + agrees
    return np.divide(2 * fits * agrees, both, out=np.zeros_like(both), where=both > 0)[:, None]


def _value(sums: Rows, images: Any) -> Rows:
    """The mean, at least 0. The protocol of torchmetrics clamps only this mean, not each cosine."""
    return np.maximum(mean(sums, images), 0)


def _facts(texts: Texts) -> str:
    assert texts.clip is not None
    return texts.clip.signature


def _missing(texts: Texts | None) -> str | None:
    if not any(map(find_spec, LIBRARIES)):
        return "needs transformers or open_clip; run pip install 'showtell[clip]'"
    if texts is not None and texts.photos is None:
        return "needs the photos; give their folder with --photos DIR, or photos={image_id: path} in Python"
    if texts is not None and texts.clip is None:
        return "needs a model; pass clip=showtell.clip.Clip(MODEL)"
    return None


def _ref_missing(texts: Texts | None) -> str | None:
    return _missing(texts) or (_undefined(texts.clip) if texts is not None and texts.clip is not None else None)


def _undefined(clip: PhotosAndTexts) -> str | None:
    if clip.protocol.references:
        return None
    return f"is not defined by the protocol {clip.protocol_name}, which uses no references; use paper or taipei"


def make_ready(names: Collection[str], clip: PhotosAndTexts) -> None:
    """Raise InputError now if CLIPScore or RefCLIPScore cannot be computed: captioning and training take long."""
    if "RefCLIPScore" in names and (reason := _undefined(clip)):
        raise InputError(f"RefCLIPScore {reason}")
    if any(name in SEEING and not _missing(None) for name in names):
        clip.load()


CLIPSCORE = Metric(clipscore, _value, _facts, _missing, tokens="texts as written")
REF_CLIPSCORE = Metric(ref_clipscore, _value, _facts, _ref_missing, tokens="texts as written")
