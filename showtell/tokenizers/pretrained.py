"""Captions <-> the ids of a pretrained language model's own tokenizer: nothing is learnt.

transformers reads it once, from the model's folder or the Hub. A run keeps it in one `tokenizer.json`, which the small
library `tokenizers` reads, so that the run is loaded without the model's folder.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showtell.plumbing.errors import InputError, RecipeError
from showtell.plumbing.language_models import language_model, transformers
from showtell.plumbing.quiet import quiet
from showtell.tokenizers import storage
from showtell.tokenizers.captions import Special, sound, without_trailing_space

KEY = "tokenizer.model"
IDS = ("bos", "eos", "pad")


class Pretrained:
    """`model` is a folder, a Hub id, a GGUF file or `smollm2`, as in `decoder.model` of decoder `language_model`.

    bos is the model's, else its eos; pad is the model's, else its eos. Captions begin with `prompt`.
    """

    file_name = "tokenizer.json"

    def __init__(self, *, model: str = "smollm2", prompt: str | None = None) -> None:
        self.model = model
        library = transformers(KEY, model)
        folder = language_model(model, KEY)
        try:
            with quiet():
                theirs = library.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            content = json.loads(theirs.backend_tokenizer.to_str())
        except Exception as error:  # a damaged folder makes it raise nearly anything
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(f"is {model}, which has no tokenizer: {reason}", key=KEY, value=model) from error
        eos = theirs.eos_token_id
        if eos is None:
            raise InputError(f"is {model}, whose tokenizer has no end token", key=KEY, value=model)
        bos = eos if theirs.bos_token_id is None else theirs.bos_token_id
        pad = eos if theirs.pad_token_id is None else theirs.pad_token_id
        never = sorted({*theirs.all_special_ids, bos, pad} - {eos})
        self._set(content, {"bos": bos, "eos": eos, "pad": pad}, never, prompt)

    def _set(self, content: dict[str, Any], ids: dict[str, int], suppress: Sequence[int], prompt: str | None) -> None:
        import tokenizers

        self.content, self.ids = content, ids
        self.pieces = tokenizers.Tokenizer.from_str(json.dumps(content))
        self.pieces.no_truncation()
        self.pieces.no_padding()
        self.size = 1 + max(self.pieces.get_vocab(with_added_tokens=True).values())  # slow, so counted once
        self.pieces.encode_special_tokens = True  # a written `</s>` is text like any other
        self.prompt = without_trailing_space(prompt)
        self.begun = self._ids(self.prompt)
        self.special = Special((ids["bos"], *self.begun), ids["eos"], ids["pad"], tuple(suppress))

    def __len__(self) -> int:
        return self.size

    def fit(self, captions: Sequence[str]) -> "Pretrained":
        return self

    def _ids(self, text: str) -> list[int]:
        return list(self.pieces.encode(sound(text), add_special_tokens=False).ids) if text else []

    def encode(self, caption: str) -> list[int]:
        """Behind a prompt a caption has a space in front, as ` dog` has in `a photo of dog`."""
        if not self.prompt or not caption:
            return self._ids(caption)
        both = self._ids(f"{self.prompt} {caption}")
        fits = both[: len(self.begun)] == self.begun
        return both[len(self.begun) :] if fits else self._ids(f" {caption}")

    def decode(self, ids: Sequence[int]) -> str:
        text = self.pieces.decode([i for i in ids if i != self.special.eos], skip_special_tokens=True)
        return str(text).removeprefix(" ") if self.prompt else str(text)

    def save(self, folder: Path) -> None:
        kept = {"name": "pretrained", "model": self.model, **self.ids, "suppress": list(self.special.suppress)}
        kept |= {"prompt": self.prompt} if self.prompt else {}
        storage.write(folder / self.file_name, json.dumps(kept | {"tokenizer": self.content}).encode())

    @classmethod
    def load(cls, folder: Path) -> "Pretrained":
        path = folder / cls.file_name
        kept = storage.parse_json(path, storage.read(path))
        try:
            ids = {name: int(kept[name]) for name in IDS}
            suppress, prompt = [int(each) for each in kept["suppress"]], kept.get("prompt")
            if not isinstance(prompt, str | None):
                raise ValueError(f"its prompt is {prompt!r}, not text")
            tokenizer = cls.__new__(cls)
            tokenizer.model = str(kept["model"])
            tokenizer._set(kept["tokenizer"], ids, suppress, prompt)
        except ImportError:
            wrong = "is 'pretrained', which needs the package tokenizers"
            raise RecipeError(wrong, key="tokenizer.name", advice="pip install 'showtell[lm]'") from None
        except Exception as error:  # the library raises a plain Exception for what it cannot read
            raise storage.damaged(path, error) from None
        if not all(0 <= i < len(tokenizer) for i in (*ids.values(), *suppress)):
            raise storage.damaged(path, f"its special ids {ids} are not below {len(tokenizer)}")
        return tokenizer
