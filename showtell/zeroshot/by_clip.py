"""A CLIP and labels -> how well each label fits a photo: the cosine of their vectors (arXiv:2103.00020, section 3.1).

The rule is open_clip's own: the vector of a label is the mean of its texts' vectors, each of length 1, and is brought
to length 1 again. Probabilities are the softmax of cosine times `scale`, by default the one that the model learnt.
The texts' vectors are kept on disk, so that a second call with the same labels and prompts needs no text tower.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from jaxtyping import Float
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from showtell.cache import default_folder, encode
from showtell.clip import Clip
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Seen, first
from showtell.plumbing.files import whole
from showtell.zeroshot.ways import Way, texts_of

LARGEST_SCALE = 100.0  # CLIP's authors clip it there
EDITION = 1  # to be raised when the same texts come to have other vectors


class ByClip:
    """`scale` says how sharp probabilities are: cosines of .30 and .28 are .88 and .12 with 100, .52 and .48 with 4."""

    unit = "cosine"

    def __init__(self, clip: Clip, scale: float | None = None) -> None:
        self.clip, self._scale = clip, scale

    @property
    def name(self) -> str:
        return self.clip.signature.partition("|")[0]

    @property
    def encoder(self) -> Encoder:
        return self.clip.tower

    def scores_of(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "B W L"]:
        return self.scores(encode(self.encoder, pictures))

    @cached_property
    def scale(self) -> float:
        learnt = getattr(self.clip.tower.network, "logit_scale", None)
        own = LARGEST_SCALE if learnt is None else min(math.exp(float(learnt)), LARGEST_SCALE)
        return own if self._scale is None else self._scale

    @property
    def notes(self) -> list[str]:
        return [f"probabilities: softmax of {self.scale:.4g} times the cosine"]

    def ask(self, ways: Sequence[Way]) -> None:
        """The vectors of the labels (W L D), for the photos to come."""
        texts = texts_of(ways)
        place = {text: row for row, text in enumerate(texts)}
        vectors = self._vectors(texts)
        means = [[vectors[[place[text] for text in of_label]].mean(0) for of_label in way.texts] for way in ways]
        self.wanted = F.normalize(torch.stack([torch.stack(of_way) for of_way in means]), dim=-1)

    def scores(self, seen: Seen) -> Float[Tensor, "B W L"]:
        photos = first(seen).pooled.to(self.wanted.device)
        return torch.einsum("bd,wld->bwl", photos, self.wanted)

    def _vectors(self, texts: Sequence[str]) -> Float[Tensor, "M D"]:
        path = default_folder() / f"texts-{EDITION}-{digest((self.clip.tower.fingerprint, *texts))}.safetensors"
        if path.is_file():
            try:
                return load_file(path)["vectors"].to(self.clip.device)
            except (SafetensorError, OSError, KeyError):  # a damaged file costs time, never an answer
                pass
        vectors = self.clip.embed_texts(texts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            save_file({"vectors": vectors.cpu().contiguous()}, part)
        return vectors
