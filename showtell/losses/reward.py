"""Sampled captions -> rewards: metrics that compare each caption with the training references of its image.

As in the paper of self-critical training (arXiv:1612.00563), CIDEr's document frequencies come from the training
references. For CIDEr-D the end of a caption counts as a word. Without it, `a man riding a` would be rewarded like a
whole sentence.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from showtell.clip import Clip
from showtell.data import Record
from showtell.decode import Decoded
from showtell.metrics import METRICS
from showtell.metrics.cider import CIDER_D, CiderD
from showtell.metrics.clipscore import SEEING, make_ready
from showtell.metrics.metric import Texts
from showtell.metrics.tokenize import tokenize
from showtell.plumbing.errors import InputError
from showtell.tokenizers.captions import Tokenizer

END = " <eos>"


def check_reward(weights: Mapping[str, float] | None, clip: Clip) -> None:
    """Raise InputError, before a photo is encoded, if this machine cannot compute a metric of the reward."""
    asked = [name for name, weight in (weights or {}).items() if weight]
    for name in asked:
        # A reward can give a metric texts, photos and CLIP.
        if reason := METRICS[name].missing(Texts([], [], photos=[], clip=clip)):
            raise InputError(
                f"has {name}, which cannot be computed here: {name} {reason}", key="loss.reward", value=weights
            )
    make_ready(asked, clip)


class Reward:
    """`reward(decoded, images)` -> rewards. `images` are indices of `records`; their references are prepared once."""

    def __init__(
        self,
        records: Sequence[Record],
        tokenizer: Tokenizer,
        weights: Mapping[str, float] | None = None,
        clip: Clip | None = None,
    ) -> None:
        """`clip` is used only if a metric needs photos. Raises InputError then if a photo cannot be read."""
        self.records, self.tokenizer, self.clip = records, tokenizer, clip
        self.weights = {name: weight for name, weight in (weights or {"CIDEr-D": 1.0}).items() if weight}
        self.references = [[tokenize(text) for text in record.references] for record in records]
        # Only plain CIDEr needs these, and each call would count them again; so other metrics get None.
        self.frequencies_of = self.references if "CIDEr" in self.weights else None
        self.cider = CiderD([[text + END for text in texts] for texts in self.references])
        if clip is not None and any(name in SEEING for name in self.weights):
            clip.remember_photos([record.path for record in records])

    def __call__(self, drawn: Decoded, images: Sequence[int]) -> Tensor:
        """The weighted sum of the metrics for R captions of each of B images -> (B R)."""
        rows = drawn.tokens.flatten(0, 1).tolist(), drawn.mask.flatten(0, 1).sum(dim=1).tolist()
        begin = len(self.tokenizer.special.begin)
        captions = [self._caption(row[begin:length]) for row, length in zip(*rows, strict=True)]
        places = [image for image in images for _ in range(drawn.tokens.shape[1])]
        texts = self._texts([text for text, _ in captions], places)
        ended = [text + END if end else text for text, (_, end) in zip(texts.candidates, captions, strict=True)]
        total = torch.zeros(len(captions), dtype=torch.float64)
        for name, weight in self.weights.items():
            metric = METRICS[name]
            values = (
                self.cider.scores(ended, places) if metric is CIDER_D else metric.value(metric.statistics(texts), 1)
            )
            total += weight * torch.from_numpy(values)
        return total.view(drawn.log_probs.shape)

    def _texts(self, captions: Sequence[str], places: Sequence[int]) -> Texts:
        records = [self.records[place] for place in places]
        return Texts(
            [tokenize(text) for text in captions],
            [self.references[place] for place in places],
            said=captions,
            known=[record.references for record in records],
            frequencies_of=self.frequencies_of,
            photos=[record.path for record in records],
            clip=self.clip,
        )

    def _caption(self, words: list[int]) -> tuple[str, bool]:
        """The text, and whether it ended with eos; else max_length cut it."""
        ended = bool(words) and words[-1] == self.tokenizer.special.eos
        return self.tokenizer.decode(words[:-1] if ended else words), ended
