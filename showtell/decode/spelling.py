"""Words and phrases that a caption must or must not hold -> the ids that say them, which only a tokenizer knows."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from showtell.plumbing.errors import RecipeError
from showtell.tokenizers.phrases import Forms

Ids = tuple[int, ...]


class Spelling(Protocol):
    """What a captioner hands to a strategy beside its special ids."""

    @property
    def joining(self) -> Sequence[int]:
        """Ids that go on with the word before them: a phrase that one follows is not said yet."""

    def forms(self, phrase: str) -> Forms: ...

    def spellings(self, phrase: str) -> tuple[Ids, ...]: ...


class Forced(NamedTuple):
    """All that a caption must hold: for each phrase its ways, and the ids that would make another word of it."""

    phrases: tuple[tuple[Ids, ...], ...]
    joining: tuple[int, ...]


def banned(spelling: Spelling | None, must_not: Sequence[str]) -> list[Ids]:
    """The sequences of ids that may not be said; a word without ids can never be said, and is forbidden as it is."""
    return [way for phrase in must_not for way in _known("must_not", spelling, phrase).spellings(phrase)]


def forced(spelling: Spelling | None, must: Sequence[str], must_not: Sequence[str]) -> Forced:
    """Raises RecipeError for a word without ids, and for a phrase that `must_not` forbids."""
    forms = [_known("must", spelling, phrase).forms(phrase) for phrase in must]
    for each in forms:
        if each.unknown:
            raise RecipeError(
                f"decode.must has {each.phrase!r}, but {each.unknown!r} is not among the words that this model can "
                "say; take a word that the captions it was trained on have, or leave it out"
            )
    assert spelling is not None
    for phrase in must_not:
        for each in forms:
            if all(any(_holds(way, never) for never in spelling.spellings(phrase)) for way in each.ways):
                raise RecipeError(
                    f"decode.must has {each.phrase!r}, and decode.must_not forbids it by {phrase!r}; leave one out"
                )
    return Forced(tuple(each.ways for each in forms), tuple(spelling.joining))


def check_words(spelling: Spelling, must: Sequence[str], must_not: Sequence[str]) -> None:
    """Raises RecipeError for what `forced` and `banned` would, before anything is decoded."""
    banned(spelling, must_not)
    forced(spelling, must, must_not)


def _known(option: str, spelling: Spelling | None, phrase: str) -> Spelling:
    if spelling is None:
        raise RecipeError(f"decode.{option} is text, and without a tokenizer no ids of {phrase!r} are known")
    return spelling


def _holds(ids: Ids, part: Ids) -> bool:
    return any(ids[start : start + len(part)] == part for start in range(len(ids) - len(part) + 1))
