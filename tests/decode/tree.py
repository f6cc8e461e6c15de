"""A decoder whose logits are a hash of everything said so far: nothing is Markov, so a swapped beam is seen at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from showtell.decoders.decoder import Decoder, Memory, Output, State
from showtell.features import Features
from showtell.tokenizers.captions import Special
from showtell.tokenizers.phrases import Forms

SPECIAL = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1, 3))
ONE_ID = Special(begin=(2,), eos=2, pad=2)


class Tree(Decoder):
    """Logits of `vocabulary` words, spread over `spread` nats, shifted by the first channels of the image's vector."""

    def __init__(self, vocabulary: int, *, seed: int = 0, spread: float = 4.0) -> None:
        super().__init__()
        self.vocabulary, self.seed, self.spread = vocabulary, seed, spread
        self.rows = 0  # captions read so far, by all calls

    def start(self, features: Features) -> tuple[Memory, State]:
        said = torch.full((len(features.pooled), 1), self.seed)
        return {"shift": features.pooled[:, : self.vocabulary]}, {"said": said}

    def forward(self, memory: Memory, state: State, tokens: Tensor, attention: bool = False) -> Output:
        said, logits = state["said"], []
        assert memory["shift"].shape[0] == said.shape[0] and said.shape == tokens.shape[:2]
        for token in tokens.unbind(-1):
            said = mix(said * 31 + token + 1)
            noise = mix(said[..., None] ^ torch.arange(1, self.vocabulary + 1))
            uniform = ((noise >> 20) & 0xFFFFFF) / 2**24
            logits.append(uniform * self.spread + memory["shift"][:, None])
        self.rows += said.numel()
        return Output(torch.stack(logits, dim=2), {"said": said})


def mix(number: Tensor) -> Tensor:
    """Whole numbers -> whole numbers that look random."""
    for multiplier in (6364136223846793005, 3202034522624059733):
        number = number * multiplier + 1442695040888963407
        number = number ^ ((number >> 29) & 0x7FFFFFFFF)
    return number


def features(images: int, seed: int = 0, dim: int = 41) -> Features:
    """Features whose `pooled` is all that a Tree reads; how far tokens are apart decides how far noise moves it."""
    generator = torch.Generator().manual_seed(seed)
    pooled = torch.randn(images, dim, generator=generator).half().float()
    mask = torch.ones(images, 5, dtype=torch.bool)
    return Features(torch.randn(images, 5, dim, generator=generator), mask, pooled, torch.zeros(images, 5, 4))


class Numbers:
    """A spelling of phrases that are ids already: `5 6`, or `5 6 / 7` where it is written in two ways."""

    def __init__(self, joining: tuple[int, ...] = ()) -> None:
        self.joining = joining

    def forms(self, phrase: str) -> Forms:
        if unknown := [word for word in phrase.split() if word.isalpha()]:
            return Forms(phrase, (), unknown[0])
        return Forms(phrase, tuple(tuple(map(int, way.split())) for way in phrase.split("/")))

    def spellings(self, phrase: str) -> tuple[tuple[int, ...], ...]:
        return self.forms(phrase).ways


class Caption(NamedTuple):
    """One caption, for comparisons in plain Python."""

    tokens: tuple[int, ...]
    log_prob: float


def captions(decoded) -> list[list[Caption]]:  # type: ignore[no-untyped-def]
    """The captions of each image without padding."""
    return [
        [Caption(tuple(tokens[mask].tolist()), float(log_prob)) for tokens, mask, log_prob in zip(*image, strict=True)]
        for image in zip(*decoded, strict=True)
    ]


def replay(decoder: Decoder, features: Features, decoded) -> Tensor:  # type: ignore[no-untyped-def]
    """log_probs (B R) of decoded captions, by teacher forcing."""
    memory, state = decoder.start(features)
    logits = decoder(memory, decoder.widen(state, decoded.tokens.shape[1]), decoded.tokens[..., :-1]).logits
    log_probs = logits.log_softmax(-1).gather(-1, decoded.tokens[..., 1:, None]).squeeze(-1)
    return log_probs.masked_fill(~decoded.mask[..., 1:], 0).sum(-1)
