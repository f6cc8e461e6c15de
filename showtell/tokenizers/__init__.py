"""Captions <-> ids. A new tokenizer is one file and one line here."""

from showtell.tokenizers.bern import Bern
from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.gpt2 import GPT2
from showtell.tokenizers.listed import Listed
from showtell.tokenizers.pieces import SentencePiece
from showtell.tokenizers.pretrained import Pretrained
from showtell.tokenizers.word_map import WordMap
from showtell.tokenizers.words import Words

TOKENIZERS: dict[str, type[Tokenizer]] = {
    "words": Words,
    "sentencepiece": SentencePiece,
    "gpt2": GPT2,
    "pretrained": Pretrained,
    "bern": Bern,
    "word_map": WordMap,
    "listed": Listed,
}
