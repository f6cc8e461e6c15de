"""Captions that were drawn -> how good they are: metrics against the training references of their image.

As in self-critical training from its beginning (arXiv:1612.00563), CIDEr's document frequencies are those of the
training references, and for CIDEr-D the end of a caption counts as a word: without it `a man riding a` would pay as
well as a whole phrase.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from showtell.data import Record
from showtell.decode import Decoded
from showtell.errors import InputError
from showtell.metrics import METRICS
from showtell.metrics.cider import CIDER_D, CiderD
from showtell.metrics.metric import Texts
from showtell.metrics.tokenize import tokenize
from showtell.tokenizers.captions import Tokenizer

END = " <eos>"


class Reward:
    """`reward(decoded, images)`: images are places in `records`, of which the references are prepared once."""

    def __init__(
        self, records: Sequence[Record], tokenizer: Tokenizer, weights: Mapping[str, float] | None = None
    ) -> None:
        """InputError for a metric that cannot be computed here."""
        self.tokenizer, self.weights = tokenizer, dict(weights or {"CIDEr-D": 1.0})
        self.references = [[tokenize(text) for text in record.references] for record in records]
        self.cider = CiderD([[text + END for text in texts] for texts in self.references])
        for name in self.weights:
            if reason := METRICS[name].missing(Texts([], [])):  # of what a metric may ask for, only texts are here
                raise InputError(f"train.reward: {name} {reason}")

    def __call__(self, drawn: Decoded, images: Sequence[int]) -> Tensor:
        """The weighted sum of the metrics for R captions of each of B images -> (B R)."""
        rows = drawn.tokens.flatten(0, 1).tolist(), drawn.mask.flatten(0, 1).sum(dim=1).tolist()
        texts = [self._text(row[1:length]) for row, length in zip(*rows, strict=True)]
        places = [image for image in images for _ in range(drawn.tokens.shape[1])]
        total = torch.zeros(len(texts), dtype=torch.float64)
        for name, weight in self.weights.items():
            total += weight * self._measure(name, texts, places)
        return total.view(drawn.log_probs.shape)

    def _measure(self, name: str, texts: Sequence[str], places: Sequence[int]) -> Tensor:
        metric = METRICS[name]
        if metric is CIDER_D:
            return torch.from_numpy(self.cider.scores(texts, places))
        plain = [text.removesuffix(END) for text in texts]
        read = Texts(plain, [self.references[place] for place in places], frequencies_of=self.references)
        return torch.from_numpy(metric.value(metric.statistics(read), 1))

    def _text(self, words: list[int]) -> str:
        ended = bool(words) and words[-1] == self.tokenizer.special.eos
        return tokenize(self.tokenizer.decode(words[:-1] if ended else words)) + (END if ended else "")
