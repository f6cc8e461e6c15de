"""A captioner that others trained, and labels -> how likely it is to say each label of a photo.

Scores are as in `by_captioner`: the mean of the text's log-probabilities, without the end. The captioner's own library
reads a text word after word, so each text of each photo is one more caption: ten labels take as long as ten captions.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from showtell.plumbing.errors import InputError
from showtell.zeroshot.ways import Way, shares_of, texts_of


@runtime_checkable
class Says(Protocol):
    """A captioner that knows how likely it finds any caption of a photo."""

    def log_probs(self, images: Sequence[Image.Image], captions: Sequence[str]) -> list[list[float]]:
        """The log-probability of each token of each caption, the end included."""


class ByForeign:
    """`encoder` is None: nothing of a photo is kept, and every question looks at the photo anew."""

    unit, scale, encoder = "log-probability", 1.0, None

    def __init__(self, captioner: Says, name: str) -> None:
        self.captioner, self.name, self.notes = captioner, name, list[str]()

    def ask(self, ways: Sequence[Way]) -> None:
        self.texts = texts_of(ways)
        self.shares = shares_of(ways, self.texts)

    def scores_of(self, pictures: Sequence[Image.Image]) -> Float[Tensor, "B W L"]:
        pairs = [(picture, text) for picture in pictures for text in self.texts]
        said = self.captioner.log_probs([picture for picture, _ in pairs], [text for _, text in pairs])
        means = [_mean(log_probs[:-1], text) for log_probs, (_, text) in zip(said, pairs, strict=True)]
        return torch.einsum("bm,wlm->bwl", torch.tensor(means).view(len(pictures), -1), self.shares)


def _mean(log_probs: Sequence[float], text: str) -> float:
    if not log_probs:
        raise InputError(f"the text {text!r} has no token for this model; change the label or the prompt")
    return sum(log_probs) / len(log_probs)
