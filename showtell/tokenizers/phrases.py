"""A word or phrase -> the ids by which a tokenizer writes it inside of a caption and at its beginning.

GPT-2's pieces have their blank in front: `dog` begins a caption with other ids than those of ` dog` within one, and
`Dog` has others again. Words and SentencePiece have one form of each. Of words in more than one piece only the usual
spelling is known: a model could still spell `dog` as `d` and `og`, as none does that was trained on usual spelling.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from showtell.tokenizers.captions import Tokenizer


class Forms(NamedTuple):
    """The ways to write one phrase: sequences of ids, of which those with bos in front stand where a caption begins."""

    phrase: str
    ways: tuple[tuple[int, ...], ...]
    unknown: str = ""  # the first of its words that has no ids; then there are no ways


class Phrases:
    """The `spelling` that decoding is given."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

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

    def _ways(self, text: str) -> Iterator[tuple[int, ...]]:
        special, first = self.tokenizer.special, self.tokenizer.encode(text)
        within = self.tokenizer.encode(f"a {text}")
        within = within[len(self.before) :] if within[: len(self.before)] == self.before else first
        if set(special.suppress).isdisjoint(within):
            yield tuple(within)
        if first != within and set(special.suppress).isdisjoint(first):
            yield (special.bos, *first)

    @cached_property
    def joining(self) -> Sequence[int]:
        """The ids whose text goes on with the word before them: `s` makes `dogs` of it, a comma does not."""
        decode, last = self.tokenizer.decode, self.before[-1]
        start = decode([last])
        after = (decode([last, token])[len(start) : len(start) + 1] for token in range(len(self.tokenizer)))
        return [token for token, letter in enumerate(after) if letter.isalnum()]


def _cases(phrase: str) -> Iterator[str]:
    """A phrase as it is, and as it may stand within a sentence, at its beginning and in a headline."""
    yield from (phrase, phrase.lower(), phrase[:1].upper() + phrase[1:], phrase.title())
