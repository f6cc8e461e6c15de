"""The course's tokenizer, by its names: GPT-2's byte pairs from encoder.json and vocab.bpe."""

import json
from collections.abc import Collection
from pathlib import Path

from showtell.tokenizers.byte_pairs import BytePairs

END = "<|endoftext|>"


class BPETokenizer:
    """A written `<|endoftext|>` is the id 50256, and only allowed if `allowed_special` names it."""

    def __init__(self, encoder_file: str | Path, vocab_file: str | Path) -> None:
        ids = json.loads(Path(encoder_file).read_text("utf-8"))
        lines = Path(vocab_file).read_text("utf-8").split("\n")
        merges = [line for line in lines[lines[0].startswith("#version") :] if line.strip()]
        self.pairs, self.end = BytePairs(sorted(ids, key=ids.__getitem__), merges), ids[END]

    def encode(self, text: str, allowed_special: Collection[str] | None = None) -> list[int]:
        assert END not in text or END in (allowed_special or ()), f"{END} in a text needs allowed_special"
        first, *others = text.split(END)
        ids = self.pairs.encode(first)
        for other in others:
            ids += [self.end, *self.pairs.encode(other)]
        return ids

    def decode(self, ids: list[int]) -> str:
        return self.pairs.decode(ids)
