"""The cache on disk: every photo is read and resized only once, and a frozen encoder encodes it only once.

Training, evaluation and prediction call `source(indices) -> Seen`. The source reads a store of frozen features in
fp16. If the encoder trains, the store has the resized pixels as bytes instead.
"""

from showtell.cache.augmented import Augmented, fill_share, open_augmented, turned_encoders
from showtell.cache.source import Source, default_folder, encode, encode_prepared, open_source, prepare

__all__ = [
    "Augmented",
    "Source",
    "default_folder",
    "encode",
    "encode_prepared",
    "fill_share",
    "open_augmented",
    "open_source",
    "prepare",
    "turned_encoders",
]
