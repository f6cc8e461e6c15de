"""Encoders: pixels -> Features. A new encoder is one file and one line here."""

from showtell.encoders.clip.patches import ClipPatches
from showtell.encoders.cnn import ConvNet
from showtell.encoders.concat import Concat
from showtell.encoders.encoder import ENCODERS, Encoder
from showtell.encoders.lite.encoder import Lite
from showtell.encoders.timm.encoder import Timm

ENCODERS |= {"cnn": ConvNet, "timm": Timm, "lite": Lite, "clip": ClipPatches, "concat": Concat}

__all__ = ["ENCODERS", "Encoder"]
