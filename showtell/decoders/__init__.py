"""Features + words -> logits. A new decoder is one file and one line here."""

from showtell.decoders.recurrent import Recurrent
from showtell.decoders.transformer import Transformer

DECODERS = {"recurrent": Recurrent, "transformer": Transformer}
