"""Features + words -> logits. A new decoder is one file and one line here."""

from showtell.decoders.attend import Attend
from showtell.decoders.decoder import Decoder
from showtell.decoders.gpt2 import GPT2
from showtell.decoders.language_model import LanguageModel
from showtell.decoders.recurrent import Recurrent
from showtell.decoders.topdown import Topdown
from showtell.decoders.transformer import Transformer

DECODERS: dict[str, type[Decoder]] = {
    "recurrent": Recurrent,
    "attend": Attend,
    "topdown": Topdown,
    "transformer": Transformer,
    "gpt2": GPT2,
    "language_model": LanguageModel,
}
