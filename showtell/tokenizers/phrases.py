"""A word or phrase -> the ids by which a tokenizer writes it inside of a caption and at its beginning.

GPT-2's pieces have their blank in front: `dog` begins a caption with other ids than those of ` dog` within one, and
`Dog` has others again. Words and SentencePiece have one form of each. A model that may not write ` dog` finds ` d` and
`og`, so what must not be said is known by every spelling.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.segments import segments

MOST = 1000  # spellings of one phrase in one place


class Forms(NamedTuple):
    """The ways to write one phrase: sequences of ids, of which those with bos in front stand where a caption begins.

    bos stands for all that a caption begins with: a prompt is no part of it.
    """

    phrase: str
    ways: tuple[tuple[int, ...], ...]
    unknown: str = ""  # the first of its words that has no ids; then there are no ways


class Phrases:
    """The `spelling` that decoding is given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.spelt: dict[str, tuple[tuple[int, ...], ...]] = {}

    @cached_property
    def before(self) -> list[int]:
        return self.tokenizer.encode("a")

    def forms(self, phrase: str) -> Forms:
        """`unknown` names the first word that the vocabulary lacks."""
        phrase = " ".join(phrase.split())
        ways = tuple(dict.fromkeys(way for text in _cases(phrase) for way in self._ways(text)))
        if ways:
            return Forms(phrase, ways)
        return Forms(phrase, (), next((word for word in phrase.split() if not any(self._ways(word))), phrase))

    def spellings(self, phrase: str) -> tuple[tuple[int, ...], ...]:
        """The ways of `forms`, and of all others by which the same text can come about those of the fewest ids."""
        if phrase not in self.spelt:
            text, bos = " ".join(phrase.lower().split()), self.tokenizer.special.begin[0]
            within = segments(f" {text}", self.pieces, MOST)
            first = ((bos, *way) for way in segments(text, self.pieces, MOST))
            self.spelt[phrase] = tuple(dict.fromkeys([*self.forms(phrase).ways, *within, *first]))
        return self.spelt[phrase]

    def _ways(self, text: str) -> Iterator[tuple[int, ...]]:
        special, first = self.tokenizer.special, self.tokenizer.encode(text)
        within = self.tokenizer.encode(f"a {text}")
        within = within[len(self.before) :] if within[: len(self.before)] == self.before else first
        if set(special.suppress).isdisjoint(within):
            yield tuple(within)
        if first != within and set(special.suppress).isdisjoint(first):
            yield (special.begin[0], *first)

    @cached_property
    def joining(self) -> Sequence[int]:
        """The ids whose text goes on with the word before them: `s` makes `dogs` of it, a comma does not."""
        return [token for token, text in enumerate(self.texts) if text[:1].isalnum()]

    @cached_property
    def texts(self) -> list[str]:
        """What each id adds to a caption, with its blank."""
        decode, last = self.tokenizer.decode, self.before[-1]
        start = len(decode([last]))
        return [decode([last, token])[start:] for token in range(len(self.tokenizer))]

    @cached_property
    def pieces(self) -> dict[str, list[int]]:
        """The ids by their texts in lower case; without those that are never said, and halves of letters."""
        found: dict[str, list[int]] = {}
        for token, text in enumerate(self.texts):
            if text and "\ufffd" not in text and token not in self.tokenizer.special.suppress:
                found.setdefault(text.lower(), []).append(token)
        return found


def _cases(phrase: str) -> Iterator[str]:
    """A phrase as it is, and as it may stand within a sentence, at its beginning and in a headline."""
    yield from (phrase, phrase.lower(), phrase[:1].upper() + phrase[1:], phrase.title())
