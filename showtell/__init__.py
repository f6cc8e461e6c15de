"""Showtell: image captioning in one small library; every captioner is a recipe.

Photos and captions go in at the top of the folder, flow one way, and come out as captions, scores and pages.

Axes, for the whole package: B images in a batch, N visual tokens, D channels, T caption tokens (S in one call),
V vocabulary, K captions of an image (beams, samples, references), H heads.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# Imported on first use: `showtell --help` must not wait for torch.
_HOMES = {
    "load": "loading",
    "Neural": "captioners",
    "CAPTIONERS": "captioners",
    "DATA": "data",
    "TOKENIZERS": "tokenizers",
    "ENCODERS": "encoders",
    "REGIONS": "regions",
    "DECODERS": "decoders",
    "STRATEGIES": "decode",
    "METRICS": "metrics",
    "Record": "data.record",
    "Features": "features",
    "Encoder": "encoders.encoder",
    "Decoder": "decoders.decoder",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"showtell.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'showtell' has no attribute {name!r}")
