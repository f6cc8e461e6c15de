"""The hand-out's Vocabulary by Showtell's tokenizer `bern`: the same words with the same ids."""

from collections.abc import Iterable

from showtell.tokenizers.bern import EOS, PAD, SOS, UNK, Bern


class Vocabulary:
    pad_token, sos_token, eos_token, unk_token = PAD, SOS, EOS, UNK

    def __init__(self, captions_file_path: str) -> None:
        self.tokenizer = Bern(file=captions_file_path).fit([])

    def __len__(self) -> int:
        return len(self.tokenizer)

    def to_index(self, token: str) -> int:
        return self.tokenizer.ids.get(token, self.tokenizer.ids[UNK])

    def to_indices(self, string: str) -> list[int]:
        return [self.to_index(SOS), *self.tokenizer.encode(string), self.to_index(EOS)]

    def to_tokens(self, indices: Iterable[int], remove_special_tokens: bool = False) -> list[str]:
        silent = (PAD, SOS, EOS) if remove_special_tokens else ()
        return [word for word in (self.tokenizer.words[int(index)] for index in indices) if word not in silent]
