"""Showtell: image captioning in one small library; every captioner is a recipe.

Photos and captions go in at the top of the folder, flow one way, and come out as captions, scores and pages.

Axes, for the whole package: B images in a batch, N visual tokens, D channels, T caption tokens (S in one call),
V vocabulary, K captions of an image (beams, samples, references), H heads.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

# Imported on first use: `showtell --help` must not wait for torch. No name here is that of a room or a file beside it:
# importing `showtell.recipe` would put the room in the place of a door of that name. "room:name" is a door whose
# function has another name at home.
_DOORS = {
    "load": "loading",
    "load_recipe": "recipe.check",
    "train": "training.loop",
    "evaluate": "scoring.evaluate",
    "score": "scoring.files",
    "caption": "predict.captions",
    "compare": "scoring.comparison",
    "explain_photo": "explain.attention:explain",
    "attention_figure": "report.figures",
    "open_image": "data.images",
    "encode": "cache",
    "read_scenes": "data.scenes.scenes",
    "judge": "data.scenes.judge",
    "DATA": "data",
    "TOKENIZERS": "tokenizers",
    "ENCODERS": "encoders",
    "REGIONS": "regions",
    "DECODERS": "decoders",
    "STRATEGIES": "decode",
    "METRICS": "metrics",
    "LOSSES": "losses",
    "CAPTIONERS": "captioners",
    "Captioner": "captioners.captioner",
    "Caption": "captioners.caption",
    "Record": "data.record",
    "Features": "features",
    "Encoder": "encoders.encoder",
    "Decoder": "decoders.decoder",
    # For an encoder of your own
    "Square": "encoders.pixels",
    "Normalise": "encoders.pixels",
    "grid_features": "encoders.grid",
    "digest": "encoders.frozen",
    # What a user's mistake raises
    "InputError": "plumbing.errors",
    "RecipeError": "plumbing.errors",
}
__all__ = sorted([*_DOORS, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _DOORS:
        raise AttributeError(f"module 'showtell' has no attribute {name!r}")
    module, _, own_name = _DOORS[name].partition(":")
    return getattr(importlib.import_module(f"showtell.{module}"), own_name or name)


def __dir__() -> list[str]:
    return __all__
