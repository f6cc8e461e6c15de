"""Captions as a rectangle of ids: `bos w1 .. wn eos pad`, one mask that says what is real."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


class Special(NamedTuple):
    """The ids with a meaning. `suppress` are those a model must never say (bos, pad, unk, but not eos)."""

    bos: int
    eos: int
    pad: int
    suppress: tuple[int, ...] = ()


class Captions(NamedTuple):
    """`tokens` (B K T) and `mask` (B K T), True where real. The mask decides what is padding, never the id."""

    tokens: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> "Captions":
        return Captions(self.tokens.to(device, non_blocking=True), self.mask.to(device, non_blocking=True))


class Tokenizer(Protocol):
    """Caption <-> ids. The constructor's keyword arguments are what a recipe may set; `fit` learns the vocabulary."""

    special: Special

    def __len__(self) -> int: ...
    def fit(self, captions: Sequence[str]) -> "Tokenizer": ...
    def encode(self, caption: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def save(self, folder: Path) -> None: ...
    @classmethod
    def load(cls, folder: Path) -> "Tokenizer": ...


def sound(text: str) -> str:
    """The text, U+FFFD in the place of lone surrogates: JSON can write these halves of a character, UTF-8 cannot."""
    return text if text.isascii() else _HALF_CHARACTERS.sub("\ufffd", text)


def batch(groups: Sequence[Sequence[Sequence[int]]], special: Special) -> Captions:
    """Word ids of each image's captions (B lists of up to K lists) -> Captions; an absent caption is all padding.

    >>> batch([[[7, 8], [9]]], Special(bos=1, eos=2, pad=0)).tokens.tolist()
    [[[1, 7, 8, 2], [1, 9, 2, 0]]]
    """
    width = max(len(group) for group in groups)
    length = 2 + max((len(words) for group in groups for words in group), default=0)
    tokens = torch.full((len(groups), width, length), special.pad)
    mask = torch.zeros(tokens.shape, dtype=torch.bool)
    for b, group in enumerate(groups):
        for k, words in enumerate(group):
            row = torch.tensor([special.bos, *words, special.eos])
            tokens[b, k, : len(row)] = row
            mask[b, k, : len(row)] = True
    return Captions(tokens, mask)
