"""A captioner with a decoder of ours and an encoded photo: parts are the visual tokens, and the encoder works once.

With views (`captioner.views`) the caption is that of all views, but it is explained on the upright photo. Of an
ensemble, all members count: the parts are the visual tokens of the first member that reads some.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from showtell.captioners.ensemble import Ensemble
from showtell.captioners.mean import MeanDecoder
from showtell.captioners.neural import Neural
from showtell.decoders.decoder import Decoder, Memory, State
from showtell.explain.words import Word, into_words
from showtell.features import Features, Seen, each, first
from showtell.tokenizers.captions import words_of

AT_ONCE = 64  # copies of the photo in a batch
SAME = 0.01  # pooled vectors that differ less than this share of their size from the tokens' mean are that mean


class Member(NamedTuple):
    """A decoder and the features that it reads."""

    decoder: Decoder
    features: Features


class Tokens:
    """The returned ids of a caption, and the members that wrote them."""

    def __init__(self, captioner: Neural | Ensemble, seen: Seen, text: str, ids: Sequence[int]) -> None:
        """`seen` is of the upright photo only. `ids` are all of a caption, from bos on."""
        special, tokenizer = captioner.tokenizer.special, captioner.tokenizer
        self.text, self.decoder, self.device = text, captioner.decoder, captioner.device
        self.seen = tuple(Features(*(part.clone() for part in features)) for features in each(seen))
        chosen = words_of(ids, special)
        self.words: Sequence[Word] = into_words(chosen, tokenizer.decode)
        self.before = len(special.begin) - 1  # the first steps read the prompt and choose no word
        self.steps = len(chosen)
        self.ids = torch.tensor(ids[: len(special.begin) + max(len(chosen), 1)], device=self.device)
        self.members = self._members()
        reading = [member for member in self.members if member.decoder.reads_tokens]
        self.main = (reading or self.members)[0].features
        self.real = self.main.mask[0]
        self.boxes = self.main.boxes[0, self.real].cpu()

    def _members(self) -> list[Member]:
        if isinstance(self.decoder, MeanDecoder):
            return [Member(decoder, self.seen[part]) for _, decoder, part in self.decoder.decoders]
        return [Member(self.decoder, self.seen[0])]

    @property
    def attending(self) -> list[Member]:
        """The members whose attention is over the parts."""
        return [each for each in self.members if each.decoder.attends and _same_places(each.features, self.main)]

    def of_words(self, steps: Float[Tensor, "M S"]) -> Float[Tensor, "M T"]:
        """The log-probabilities of ids -> those of words: sums, because p(giraffe) = p(gira) p(ffe)."""
        columns = [steps[:, list(word.ids)].sum(1) for word in self.words]
        return torch.stack(columns, dim=1) if columns else steps[:, :0]

    def log_probs(self, kept: Bool[Tensor, "M N"]) -> Float[Tensor, "M T"]:
        with torch.no_grad():
            return torch.cat([self._log_probs(some) for some in kept.to(self.device).split(AT_ONCE)]).cpu()

    def _log_probs(self, kept: Bool[Tensor, "M N"]) -> Float[Tensor, "M T"]:
        shown = tuple(self._masked(features, kept) for features in self.seen)
        started = self._started
        if started is None:
            return self.given(shown)
        memory, state = ({n: x.expand(len(kept), *x.shape[1:]) for n, x in part.items()} for part in started)
        masks = {name: shown[0].mask for name, x in memory.items() if x.dtype == torch.bool}
        return self._read(memory | masks, state)

    @cached_property
    def _started(self) -> tuple[Memory, State] | None:
        """For speed: memory and state of the photo, if a mask changes nothing in them but the mask itself.

        Then the decoder need not start anew for each copy. So it is with cross-attention, where each visual token is
        read alone. Whether it is so, two masks show.
        """
        if isinstance(self.decoder, MeanDecoder):
            return None
        whole = self.real.new_ones(1, len(self.boxes))
        some = whole.clone()
        some[0, ::2] = False
        shown = [self._masked(self.main, kept) for kept in (whole, some)]
        one, other = (self.decoder.start(features) for features in shown)
        for name, x in (one[0] | one[1]).items():
            y = (other[0] | other[1])[name]
            if x.dtype == torch.bool:
                masks = torch.equal(x, shown[0].mask) and torch.equal(y, shown[1].mask)
            else:
                masks = torch.equal(x, y)
            if not masks:
                return None
        return one

    def given(self, shown: Seen) -> Float[Tensor, "M T"]:
        """The log-probability of each word, if these are the features of M photos."""
        several = isinstance(self.decoder, MeanDecoder)
        return self._read(*self.decoder.start(shown if several else first(shown)))  # type: ignore[arg-type]

    def _read(self, memory: Memory, state: State) -> Float[Tensor, "M T"]:
        ids = self.ids.expand(len(next(iter(state.values()))), 1, -1)
        return self.of_words(self.chosen(self.decoder.forward(memory, state, ids[..., :-1]).logits[:, 0]))

    def chosen(self, logits: Float[Tensor, "M S V"]) -> Float[Tensor, "M T"]:
        """Logits of all steps -> the log-probability of each id of the caption."""
        steps = slice(self.before, self.before + self.steps)
        found = logits[:, steps].float().log_softmax(-1)
        words = self.ids[1:][steps].expand(len(logits), -1)
        return found.gather(-1, words[..., None])[..., 0]

    def _masked(self, features: Features, kept: Bool[Tensor, "M N"]) -> Features:
        """M copies of the features without the tokens in parts that are not kept, in their mask and in their mean."""
        copies = Features(*(part.expand(len(kept), *part.shape[1:]) for part in features))
        if _same_places(features, self.main):
            stays = copies.mask.clone()
            stays[:, self.real] &= kept
        else:
            stays = copies.mask & kept[:, _part_of(features.boxes[0], self.main.boxes[0, self.real])]
        pooled = copies.pooled
        if _is_mean(features):
            weights = stays.to(pooled.dtype)
            pooled = (weights @ features.tokens[0]) / weights.sum(1, keepdim=True).clamp(min=1)
        return Features(copies.tokens, stays, pooled, copies.boxes)


def _same_places(one: Features, other: Features) -> bool:
    return one.boxes.shape == other.boxes.shape and torch.equal(one.boxes, other.boxes)


def _part_of(boxes: Float[Tensor, "M 4"], parts: Float[Tensor, "N 4"]) -> Tensor:
    """For each box the part whose centre is nearest to its own."""

    def centres(x: Tensor) -> Tensor:
        return (x[:, :2] + x[:, 2:]) / 2

    return torch.cdist(centres(boxes), centres(parts)).argmin(1)


def _is_mean(features: Features) -> bool:
    """Whether the pooled vector is the mean of the tokens. Else it is not known how a part takes part in it."""
    real = features.mask[0]
    mean = features.tokens[0, real].mean(0)
    return bool((features.pooled[0] - mean).norm() <= SAME * mean.norm())
