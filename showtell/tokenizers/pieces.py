"""Captions <-> subwords that SentencePiece learns from the captions (Kudo and Richardson, arXiv:1808.06226).

SentencePiece first normalises the text: Unicode's NFKC form, lower case if `lower_case`, and single spaces. The saved
model does the same. Every letter of the training captions is in the vocabulary; a letter that they lack is unk.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import Field

from showtell.plumbing.errors import InputError, RecipeError
from showtell.tokenizers import storage
from showtell.tokenizers.captions import Special, sound, without_trailing_space

PAD, BOS, EOS, UNK = range(4)
PROMPT = "tokenizer.json"  # next to the model; exists only if there is a prompt


class SentencePiece:
    """The vocabulary has exactly `vocabulary_size` entries, including ids 0 to 3 (pad, bos, eos, unk).

    Captions begin with `prompt`; every letter of it must be in the captions.
    """

    file_name = "tokenizer.model"

    def __init__(
        self,
        *,
        vocabulary_size: Annotated[int, Field(ge=5, lt=10**6)] = 8000,
        model: Literal["bpe", "unigram"] = "bpe",
        lower_case: bool = True,
        prompt: str | None = None,
    ) -> None:
        self.vocabulary_size, self.model, self.lower_case = vocabulary_size, model, lower_case
        self.prompt = without_trailing_space(prompt)
        self.special = Special(begin=(BOS,), eos=EOS, pad=PAD, suppress=(PAD, BOS, UNK))
        self.processor: Any = _library().SentencePieceProcessor()

    def __len__(self) -> int:
        return len(self.processor)

    def fit(self, captions: Sequence[str]) -> "SentencePiece":
        """Learn the subwords. Equal captions in equal order always give equal subwords.

        Raises RecipeError if `vocabulary_size` is too small or too large for the captions.
        """
        texts = [sound(caption) for caption in captions]
        try:
            self._set(self._learn(texts, self.vocabulary_size))
        except RuntimeError as error:
            raise self._refusal(texts, str(error)) from None
        self._begin()
        return self

    def _begin(self) -> None:
        """Add the prompt after bos. Before `fit`, its subwords have no ids."""
        if unknown := [word for word in dict.fromkeys(self.prompt.split()) if UNK in self.encode(word)]:
            wrong = f"is {self.prompt!r}, but the vocabulary lacks letters of {', '.join(map(repr, unknown))}"
            advice = "use words from the captions, or set tokenizer=gpt2"
            raise RecipeError(wrong, key="tokenizer.prompt", value=self.prompt, advice=advice)
        self.special = self.special._replace(begin=(BOS, *self.encode(self.prompt)))

    def _learn(self, texts: Sequence[str], size: int) -> bytes:
        learnt = io.BytesIO()
        _library().SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=learnt,
            model_type=self.model,
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="nmt_nfkc_cf" if self.lower_case else "nmt_nfkc",
            max_sentence_length=2**30,  # the largest value; longer captions would be skipped
            shuffle_input_sentence=False,
            num_threads=1,  # several threads add in changing order, and rounding could choose other subwords
            unk_surface="<unk>",
            minloglevel=2,
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNK,
        )
        return learnt.getvalue()

    def _refusal(self, texts: Sequence[str], reason: str) -> Exception:
        """SentencePiece's error as an error about the recipe."""
        takes = ""
        if least := re.search(r"required_chars\. \d+ vs (\d+)", reason):
            takes = f"at least {least[1]}, because each of their letters needs an entry"
        elif most := re.search(r"value <= (\d+)", reason):
            takes = f"at most {self._largest(texts, int(most[1]))}"
        if takes:
            key = "tokenizer.vocabulary_size"
            return RecipeError(key=key, value=self.vocabulary_size, taker="these captions allow", takes=takes)
        if "sentences_.empty()" in reason or "all_chars_count" in reason:
            return InputError(f"{len(texts):,} captions have no text that SentencePiece could learn from")
        return InputError(f"SentencePiece cannot learn from these captions: {reason.splitlines()[0]}")

    def _largest(self, texts: Sequence[str], size: int) -> int:
        """The largest size that works. Start from the size that SentencePiece names; it may then name a smaller one."""
        try:
            self._learn(texts, size)
        except RuntimeError as error:
            less = re.search(r"value <= (\d+)", str(error))
            return self._largest(texts, int(less[1])) if less and int(less[1]) < size else size
        return size

    def _set(self, model: bytes) -> None:
        """Raises RuntimeError if the bytes are not a model with Showtell's special ids."""
        processor = _library().SentencePieceProcessor(model_proto=model)
        ids = [processor.pad_id(), processor.bos_id(), processor.eos_id(), processor.unk_id()]
        if ids != [PAD, BOS, EOS, UNK]:
            raise RuntimeError(f"pad, bos, eos and unk are {ids}, not 0 to 3")
        self.processor = processor

    def encode(self, caption: str) -> list[int]:
        return list(self.processor.encode(sound(caption)))

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.processor.decode(list(ids)))

    def save(self, folder: Path) -> None:
        storage.write(folder / self.file_name, self.processor.serialized_model_proto())
        if self.prompt:
            storage.write_json(folder / PROMPT, {"name": "sentencepiece", "prompt": self.prompt})
        else:
            (folder / PROMPT).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path) -> "SentencePiece":
        path = folder / cls.file_name
        tokenizer = cls(prompt=_prompt(folder / PROMPT))
        try:
            tokenizer._set(storage.read(path))
        except RuntimeError as error:
            raise storage.damaged(path, error) from None
        try:
            tokenizer._begin()
        except RecipeError as error:
            raise storage.damaged(folder / PROMPT, str(error)) from None
        return tokenizer


def _prompt(path: Path) -> str | None:
    if not path.exists():
        return None
    content = storage.parse_json(path, storage.read(path))
    if not isinstance(content, dict) or not isinstance(content.get("prompt"), str):
        raise storage.damaged(path, "its prompt must be text")
    return str(content["prompt"])


def _library() -> ModuleType:
    try:
        import sentencepiece
    except ImportError:
        raise InputError("tokenizer=sentencepiece needs an extra: pip install 'showtell[sentencepiece]'") from None
    module: ModuleType = sentencepiece
    return module
