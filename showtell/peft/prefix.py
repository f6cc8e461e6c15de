"""Prefix tuning (arXiv:2101.00190) and prompt tuning (arXiv:2104.08691): learned positions in front of the words.

A prefix has keys and values of its own in every layer; a prompt has vectors in the place of words, which the layers
read. Words are numbered from behind them. Example: 20 positions in GPT-2 small are 20 x 12 x 2 x 768 = 368,640 numbers
as a prefix, and 20 x 768 = 15,360 as a prompt.
"""

from showtell.decoders.decoder import Decoder
from showtell.layers.learned import LearnedPrefix, LearnedPrompt
from showtell.peft.freeze import freeze
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Size


def prefix(decoder: Decoder, *, length: Size = 20, hidden: Size | None = None, trainable: tuple[str, ...] = ()) -> None:
    """`hidden` is the width of a network that makes keys and values (reparametrisation); null learns them directly."""
    language = freeze(decoder, trainable)
    _check_room(decoder, length)
    dim = language.words.weight.shape[1]
    decoder.learned = LearnedPrefix(length, language.layers, language.heads, language.width, dim, hidden)


def prompt(decoder: Decoder, *, length: Size = 20, trainable: tuple[str, ...] = ()) -> None:
    """Vectors that begin as the embeddings of random words."""
    language = freeze(decoder, trainable)
    _check_room(decoder, length)
    decoder.learned = LearnedPrompt(length, language.words.weight)


def _check_room(decoder: Decoder, length: int) -> None:
    if decoder.max_length is not None and length >= decoder.max_length:
        takes = f"fewer than decoder.max_length ({decoder.max_length}), which counts words too"
        raise RecipeError(key="peft.length", value=length, takes=takes)
