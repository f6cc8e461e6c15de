"""Words and phrases of `must` and `must_not` -> their ids, which only a tokenizer knows."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from showtell.plumbing.errors import RecipeError
from showtell.tokenizers.phrases import Forms

Ids = tuple[int, ...]


class Spelling(Protocol):
    """How a tokenizer writes phrases: a captioner gives this to a strategy, together with the special ids."""

    @property
    def joining(self) -> Sequence[int]:
        """Ids that continue the word before them, such as `s` in `dog` `s`: a phrase before one is not complete."""

    def forms(self, phrase: str) -> Forms: ...

    def spellings(self, phrase: str) -> tuple[Ids, ...]: ...


class Forced(NamedTuple):
    """What a caption must contain: for each phrase, all the ways to write it; and the ids that continue a word."""

    phrases: tuple[tuple[Ids, ...], ...]
    joining: tuple[int, ...]


def banned(spelling: Spelling | None, must_not: Sequence[str]) -> list[Ids]:
    """The sequences of ids that may not be written. A word without ids can never be written, so it adds none."""
    return [way for phrase in must_not for way in _known("must_not", spelling, phrase).spellings(phrase)]


def forced(spelling: Spelling | None, must: Sequence[str], must_not: Sequence[str]) -> Forced:
    """Raises RecipeError if a word has no ids, or if `must_not` forbids a phrase."""
    forms = [_known("must", spelling, phrase).forms(phrase) for phrase in must]
    for each in forms:
        if each.unknown:
            wrong = f"has {each.phrase!r}, but {each.unknown!r} is not in this model's vocabulary"
            advice = "use a word from the captions of the training set, or remove it"
            raise RecipeError(wrong, key="decode.must", value=list(must), advice=advice)
    assert spelling is not None
    for phrase in must_not:
        for each in forms:
            if all(any(_holds(way, never) for never in spelling.spellings(phrase)) for way in each.ways):
                wrong = f"has {each.phrase!r}, but decode.must_not forbids it with {phrase!r}"
                raise RecipeError(wrong, key="decode.must", value=list(must), advice="remove one of the two")
    return Forced(tuple(each.ways for each in forms), tuple(spelling.joining))


def check_words(spelling: Spelling, must: Sequence[str], must_not: Sequence[str]) -> None:
    """Raise the errors of `forced` and `banned` before anything is decoded."""
    banned(spelling, must_not)
    forced(spelling, must, must_not)


def _known(option: str, spelling: Spelling | None, phrase: str) -> Spelling:
    if spelling is None:
        wrong = f"has {phrase!r}, but there is no tokenizer to turn it into ids"
        raise RecipeError(wrong, key=f"decode.{option}", value=phrase, advice="pass `spelling`")
    return spelling


def _holds(ids: Ids, part: Ids) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids) - len(part) + 1))
