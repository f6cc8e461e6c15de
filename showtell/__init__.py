"""Showtell: image captioning in one small library; every captioner is a recipe.

Photos and captions go in at the top of the folder list, flow one way, and come out as captions, scores and pages.

Axes in the whole package: B images in a batch, N visual tokens, D channels, T caption tokens (S in one call),
V vocabulary, K captions of an image (beams, samples, references), H heads.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

# Name -> its module, imported on first use, so that `showtell --help` does not wait for torch. No name may be that of a
# folder or file beside this one: `import showtell.recipe` would replace an attribute `recipe` with the module.
# "module:name" is a function that has another name in its module.
_DOORS = {
    "load": "loading",
    "load_recipe": "recipe.check",
    "train": "training.loop",
    "evaluate": "scoring.evaluate",
    "score": "scoring.files",
    "caption": "predict.captions",
    "classify": "zeroshot.classify",
    "compare": "scoring.comparison",
    "read_runs": "report.runs.read",
    "report_runs": "report.runs.write",
    "explain_photo": "explain.explain:explain",
    "attention_figure": "report.strip",
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
