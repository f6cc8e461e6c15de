"""A caption -> the text that is written: something before it, something after it, and not too long."""

from typing import NamedTuple

from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import HALF


class Wording(NamedTuple):
    """`most` counts the characters of the whole text; None means any number. A caption is cut at a word.

    >>> Wording("photo: ", ".", 20)("a dog runs, and a cat")
    'photo: a dog runs.'
    """

    before: str = ""
    after: str = ""
    most: int | None = None

    def __call__(self, caption: str) -> str:
        if self.most is None:
            return self.before + caption + self.after
        return self.before + cut_at_word(caption, self.most - len(self.before) - len(self.after)) + self.after

    def check(self) -> None:
        """Raise InputError if there is no room for a caption, or if a text cannot be written."""
        for name, text in (("--prepend", self.before), ("--append", self.after)):
            if HALF.search(text):
                raise InputError(f"is {text!r}, which has bytes that are not UTF-8", key=name, advice="retype it")
        if self.most is not None and self.most <= len(self.before) + len(self.after):
            taken = len(self.before) + len(self.after)
            takes = f"more than the {taken} characters of --prepend and --append" if taken else "at least 1"
            raise InputError(key="--max-characters", value=self.most, takes=takes)


AS_IT_IS = Wording()


def cut_at_word(text: str, most: int) -> str:
    """The first words of a text, without a comma at their end. A first word that is too long is cut itself.

    >>> cut_at_word("a dog, a cat", 7), cut_at_word("a dog", 9), cut_at_word("dogsled", 3)
    ('a dog', 'a dog', 'dog')
    """
    if len(text) <= most:
        return text
    words, _, _ = text[: most + 1].rpartition(" ")
    return (words or text[:most]).rstrip(" ,;:-")
