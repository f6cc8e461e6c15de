"""Captions <-> the ids of a WORDMAP_*.json, as the tutorial of Show, Attend and Tell (Lyon's course) writes it.

The file is a dict of words: pad is 0, words count from 1, then come `<unk>`, `<start>` and `<end>`. Captions are words
with spaces between them; a word that the file lacks becomes `<unk>`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from showtell.data.hdf5 import END, PAD, START, UNK
from showtell.plumbing.errors import InputError
from showtell.plumbing.reading import read_bytes, why_not
from showtell.tokenizers import storage
from showtell.tokenizers.captions import Special, sound


class WordMap:
    """`file` is the WORDMAP_*.json. Nothing is learned from the captions."""

    file_name = "tokenizer.json"

    def __init__(self, *, file: str) -> None:
        path = Path(file)
        if wrong := why_not(path):
            raise InputError(f"is {file}, which {wrong}", key="tokenizer.file", value=file)
        self._set(storage.parse_json(path, read_bytes(path)), path)

    def _set(self, ids: Mapping[str, int], path: Path) -> None:
        right = isinstance(ids, dict) and all(isinstance(each, int) for each in ids.values())
        if not right or sorted(ids.values()) != list(range(len(ids))) or not {PAD, START, END, UNK} <= set(ids):
            raise storage.damaged(path, f"it must number its words from 0, with {PAD}, {START}, {END} and {UNK}")
        self.ids = dict(sorted(ids.items(), key=lambda item: item[1]))
        self.words = list(self.ids)
        pad, start, unk = ids[PAD], ids[START], ids[UNK]
        self.special = Special(begin=(start,), eos=ids[END], pad=pad, suppress=(pad, start, unk))

    def __len__(self) -> int:
        return len(self.words)

    def fit(self, captions: Sequence[str]) -> "WordMap":
        return self

    def encode(self, caption: str) -> list[int]:
        unk, silent = self.ids[UNK], (PAD, START, END)
        return [unk if word in silent else self.ids.get(word, unk) for word in sound(caption).split()]

    def decode(self, ids: Sequence[int]) -> str:
        silent = (self.special.pad, self.special.begin[0], self.special.eos)
        return " ".join(self.words[i] for i in ids if i not in silent)

    def save(self, folder: Path) -> None:
        storage.write_json(folder / self.file_name, {"name": "word_map", "ids": self.ids})

    @classmethod
    def load(cls, folder: Path) -> "WordMap":
        path = folder / cls.file_name
        content = storage.parse_json(path, storage.read(path))
        tokenizer = cls.__new__(cls)
        tokenizer._set(content.get("ids") if isinstance(content, dict) else None, path)  # type: ignore[arg-type]
        return tokenizer
