"""Captions that were drawn -> how good they are: CIDEr-D against the training references of their image.

As in self-critical training from its beginning (arXiv:1612.00563), document frequencies are those of the training
references, and the end of a caption counts as a word: without it `a man riding a` would pay as well as a whole phrase.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from showtell.data import Record
from showtell.decode import Decoded
from showtell.metrics.cider import CiderD
from showtell.metrics.tokenize import tokenize
from showtell.tokenizers.captions import Tokenizer

END = " <eos>"


class Reward:
    """`reward(decoded, images)`: images are places in `records`, of which the references are prepared once."""

    def __init__(self, records: Sequence[Record], tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.cider = CiderD([[tokenize(text) + END for text in record.references] for record in records])

    def __call__(self, drawn: Decoded, images: Sequence[int]) -> Tensor:
        """CIDEr-D of R captions of each of B images -> (B R)."""
        rows = drawn.tokens.flatten(0, 1).tolist(), drawn.mask.flatten(0, 1).sum(dim=1).tolist()
        texts = [self._text(row[1:length]) for row, length in zip(*rows, strict=True)]
        places = [image for image in images for _ in range(drawn.tokens.shape[1])]
        return torch.from_numpy(self.cider.scores(texts, places)).view(drawn.log_probs.shape)

    def _text(self, words: list[int]) -> str:
        ended = bool(words) and words[-1] == self.tokenizer.special.eos
        return tokenize(self.tokenizer.decode(words[:-1] if ended else words)) + (END if ended else "")
