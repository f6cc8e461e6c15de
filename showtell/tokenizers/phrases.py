"""A word or phrase -> the ids with which a tokenizer writes it, inside a caption and at its beginning.

In GPT-2's vocabulary, the space belongs to the token: `dog` at the beginning, ` dog` inside a caption, and `Dog` have
different ids. Words and SentencePiece have one form for all of them. If ` dog` is forbidden, a GPT-2 model can still
write ` d` and `og`. So a `must_not` phrase is forbidden in many spellings.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.segments import segments

MOST = 1000  # the largest number of spellings of a phrase inside a caption, and at its beginning


class Forms(NamedTuple):
    """The ways to write one phrase, as sequences of ids. A way that starts with bos fits only the start of a caption.

    If there is a prompt, such a way is bos and the words, without the prompt's ids.
    """

    phrase: str
    ways: tuple[tuple[int, ...], ...]
    unknown: str = ""  # the first word without ids; then `ways` is empty


class Phrases:
    """The `spelling` argument of decoding, for one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.spelt: dict[str, tuple[tuple[int, ...], ...]] = {}

    @cached_property
    def before(self) -> list[int]:
        return self.tokenizer.encode("a")

    def forms(self, phrase: str) -> Forms:
        """The usual ways to write a phrase, in lower case, with a capital, and as a title."""
        phrase = " ".join(phrase.split())
        ways = tuple(dict.fromkeys(way for text in _cases(phrase) for way in self._ways(text)))
        if ways:
            return Forms(phrase, ways)
        return Forms(phrase, (), next((word for word in phrase.split() if not any(self._ways(word))), phrase))

    def spellings(self, phrase: str) -> tuple[tuple[int, ...], ...]:
        """The ways of `forms`, and up to MOST other ways to write the same text, those with the fewest ids first."""
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
        """The ids that continue the word before them: `s` after `dog` makes `dogs`, but a comma does not."""
        return [token for token, text in enumerate(self.texts) if text[:1].isalnum()]

    @cached_property
    def texts(self) -> list[str]:
        """The text that each id adds to a caption, with its space."""
        decode, last = self.tokenizer.decode, self.before[-1]
        start = len(decode([last]))
        return [decode([last, token])[start:] for token in range(len(self.tokenizer))]

    @cached_property
    def pieces(self) -> dict[str, list[int]]:
        """Text in lower case -> its ids, without suppressed ids and without parts of a character."""
        ids_of: dict[str, list[int]] = {}
        for token, text in enumerate(self.texts):
            if text and "\ufffd" not in text and token not in self.tokenizer.special.suppress:
                ids_of.setdefault(text.lower(), []).append(token)
        return ids_of


def _cases(phrase: str) -> Iterator[str]:
    """A phrase as it is, in lower case, with a first capital, and as a title: `red car`, `Red car`, `Red Car`."""
    yield from (phrase, phrase.lower(), phrase[:1].upper() + phrase[1:], phrase.title())
