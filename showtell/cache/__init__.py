"""The on-disk cache: every photo is read, squared and, by a frozen encoder, encoded once.

Train, evaluate and predict ask one thing, `source(indices) -> Seen`. Under it lies a store of frozen features in
fp16, or, for an encoder that trains, of its pixels in bytes.
"""

from showtell.cache.augmented import Augmented, open_augmented, turned_encoders
from showtell.cache.source import Source, default_folder, encode, open_source

__all__ = ["Augmented", "Source", "default_folder", "encode", "open_augmented", "open_source", "turned_encoders"]
