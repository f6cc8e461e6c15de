"""How ids become text, as plain data that a runner without Showtell can follow.

`{"kind": "words", "pieces": ["<pad>", "a", "dog"], "join": [pattern, replacement]}`: pieces with blanks between them,
then one replacement. `{"kind": "bytes", "pieces": ["6120", "646f67"], "strip": false}`: bytes in hexadecimal, one after
the other; `strip` takes a blank away from the start.
"""

import random
from collections.abc import Callable
from typing import Any

from showtell.export.run import spell
from showtell.plumbing.errors import InputError
from showtell.tokenizers.byte_pairs import BYTES
from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.words import _CLITIC

KEY = "tokenizer.name"


def _plain(tokenizer: Any) -> dict[str, Any]:
    return {"kind": "words", "pieces": list(tokenizer.words), "join": None}


def _clitics(tokenizer: Any) -> dict[str, Any]:
    return _plain(tokenizer) | {"join": [_CLITIC.pattern, r"\1\2\3"]}


def _bytes(tokenizer: Any) -> dict[str, Any]:
    pieces = [piece.hex() for piece in tokenizer.pairs.bytes]
    return {"kind": "bytes", "pieces": pieces, "strip": bool(tokenizer.prompt)}


def _pretrained(tokenizer: Any) -> dict[str, Any]:
    pieces = tokenizer.pieces.convert_ids_to_tokens(range(len(tokenizer)))
    known = [bytes(BYTES.get(letter, 0x3F) for letter in piece or "") for piece in pieces]
    return {"kind": "bytes", "pieces": [piece.hex() for piece in known], "strip": bool(tokenizer.prompt)}


def _sentencepiece(tokenizer: Any) -> dict[str, Any]:
    model = tokenizer.processor
    pieces = ["" if model.is_control(i) else model.id_to_piece(i).replace("\u2581", " ") for i in range(len(tokenizer))]
    return {"kind": "bytes", "pieces": [piece.encode().hex() for piece in pieces], "strip": True}


KINDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "words": _clitics,
    "bern": _clitics,
    "word_map": _plain,
    "listed": _plain,
    "gpt2": _bytes,
    "pretrained": _pretrained,
    "sentencepiece": _sentencepiece,
}


def text_form(name: str, tokenizer: Tokenizer) -> dict[str, Any]:
    """The data. Raises InputError if a tokenizer writes text in another way, tried on captions of random words."""
    form = KINDS[name](tokenizer)
    special = tokenizer.special
    never = {*special.suppress, *special.begin, special.eos, special.pad}
    usable = [number for number in range(len(tokenizer)) if number not in never]
    chance = random.Random(0)
    for _ in range(100):
        ids = chance.choices(usable, k=12)
        if spell(form, ids) != tokenizer.decode(ids):
            wrong = f"is {name}, which turns ids into text in a way that has no simple form"
            raise InputError(wrong, key=KEY, value=name, takes=[n for n in KINDS if n != name])
    return form
