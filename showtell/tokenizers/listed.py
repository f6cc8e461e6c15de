"""Captions <-> words of a given list, as the Oslo course (IN5400) numbers them: 0 end, 1 start, 2 unknown, then words.

`file` is the course's vocabulary.pickle; it is read without running it. Without a file, the words are counted in the
training captions: the most frequent has the id 3.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from showtell.data.vocabulary_pickle import BEGIN, read_vocabulary
from showtell.plumbing.files import at_home
from showtell.settings.bounds import Count
from showtell.tokenizers import storage
from showtell.tokenizers.captions import Special, sound

UNK = 2


def split(caption: str) -> list[str]:
    """The words as the course cuts them: at spaces, in lower case, only letters and digits.

    >>> split("A dog's ball, on T-shirts .")
    ['a', 'dogs', 'ball', 'on', 'tshirts']
    """
    plain = ("".join(letter for letter in word if letter.isalnum()) for word in sound(caption).lower().split(" "))
    return [word for word in plain if word]


class Listed:
    """pad and eos are the id 0; only the mask of a caption separates its end from padding.

    `max_words` counts all ids: with 10000, the ids are 0 to 9999, and every other word is 2, unknown.
    """

    file_name = "tokenizer.json"

    def __init__(self, *, file: Path | None = None, max_words: Count = 10_000) -> None:
        self.max_words = max_words
        self.given = file is not None
        self._set(read_vocabulary(at_home(file, "tokenizer.file")) if file is not None else [*BEGIN])

    def _set(self, words: Sequence[str]) -> None:
        self.words = list(words)[: self.max_words]
        self.ids = {word: number for number, word in enumerate(self.words) if number > UNK}
        self.special = Special(begin=(1,), eos=0, pad=0)

    def __len__(self) -> int:
        return len(self.words)

    def fit(self, captions: Sequence[str]) -> "Listed":
        if not self.given:
            self._set(count_words(captions))
        return self

    def encode(self, caption: str) -> list[int]:
        return [self.ids.get(word, UNK) for word in split(caption)]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.words[number] for number in ids if number > 1)

    def save(self, folder: Path) -> None:
        storage.write_json(folder / self.file_name, {"name": "listed", "words": self.words})

    @classmethod
    def load(cls, folder: Path) -> "Listed":
        path = folder / cls.file_name
        content = storage.parse_json(path, storage.read(path))
        words = content.get("words") if isinstance(content, dict) else None
        if not isinstance(words, list) or tuple(words[:3]) != BEGIN or not all(isinstance(word, str) for word in words):
            raise storage.damaged(path, f"its words are not a list that begins with {', '.join(BEGIN)}")
        tokenizer = cls(max_words=len(words))
        tokenizer.given = True
        tokenizer._set(words)
        return tokenizer


def count_words(captions: Sequence[str]) -> list[str]:
    """The special words, then all words by count; of equals, the first in the captions comes first."""
    counts = Counter(word for caption in captions for word in split(caption))
    return [*BEGIN, *(word for word, _ in counts.most_common() if word not in BEGIN)]
