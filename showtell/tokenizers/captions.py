"""Captions as a rectangle of ids, `begin.. w1 .. wn eos pad`, with a mask that is True for real tokens.

`begin` is bos and, if the tokenizer has a prompt, the prompt's ids. With bos 1, eos 2, pad 0 and the prompt `7 8`, the
captions `3 4` and `5` are `1 7 8 3 4 2` and `1 7 8 5 2 0`. The prompt's last id predicts the first word.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Int
from torch import Tensor

_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")


class Special(NamedTuple):
    """The special ids. A model must never write those in `suppress` (bos, pad and unk, but not eos)."""

    begin: tuple[int, ...]  # the start of every caption: bos, then the ids of the prompt, if any
    eos: int
    pad: int
    suppress: tuple[int, ...] = ()


class Captions(NamedTuple):
    """`mask` is True for real tokens. Only the mask decides what is padding, because pad may have the id of eos."""

    tokens: Int[Tensor, "B K T"]
    mask: Bool[Tensor, "B K T"]
    begin: int = 1  # how many tokens precede a caption's first word

    def to(self, device: torch.device) -> "Captions":
        tokens, mask = self.tokens.to(device, non_blocking=True), self.mask.to(device, non_blocking=True)
        return Captions(tokens, mask, self.begin)


class Tokenizer(Protocol):
    """Caption <-> ids. The constructor's keyword arguments are its options in a recipe; `fit` learns the vocabulary.

    `encode` and `decode` handle only a caption's words, without `special.begin` and eos.
    """

    special: Special

    def __len__(self) -> int: ...
    def fit(self, captions: Sequence[str]) -> "Tokenizer": ...
    def encode(self, caption: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def save(self, folder: Path) -> None: ...
    @classmethod
    def load(cls, folder: Path) -> "Tokenizer": ...


def sound(text: str) -> str:
    """The text, with U+FFFD for lone surrogates (halves of a character): JSON can contain them, UTF-8 cannot."""
    return text if text.isascii() else _HALF_CHARACTERS.sub("\ufffd", text)


def without_trailing_space(prompt: str | None) -> str:
    """The prompt without a space at its end: in training, the space belongs to the first word of the caption."""
    return (prompt or "").rstrip()


def words_of(tokens: Sequence[int], special: Special) -> list[int]:
    """The word ids of one caption without padding. A caption that was cut off has no eos.

    >>> words_of([1, 7, 8, 3, 4, 2], Special(begin=(1, 7, 8), eos=2, pad=0))
    [3, 4]
    """
    words = list(tokens[len(special.begin) :])
    return words[:-1] if words and words[-1] == special.eos else words


def batch(groups: Sequence[Sequence[Sequence[int]]], special: Special) -> Captions:
    """Word ids of each image's captions (B lists of up to K lists) -> Captions. A missing caption is only padding.

    >>> batch([[[7, 8], [9]]], Special(begin=(1,), eos=2, pad=0)).tokens.tolist()
    [[[1, 7, 8, 2], [1, 9, 2, 0]]]
    """
    width = max(len(group) for group in groups)
    length = len(special.begin) + 1 + max((len(words) for group in groups for words in group), default=0)
    tokens = torch.full((len(groups), width, length), special.pad)
    mask = torch.zeros(tokens.shape, dtype=torch.bool)
    for b, group in enumerate(groups):
        for k, words in enumerate(group):
            row = torch.tensor([*special.begin, *words, special.eos])
            tokens[b, k, : len(row)] = row
            mask[b, k, : len(row)] = True
    return Captions(tokens, mask, len(special.begin))
