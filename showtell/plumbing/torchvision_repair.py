"""Make `import torchvision` work if its wheel was built for CUDA but torch was not.

Without this repair the import fails with `operator torchvision::nms does not exist`, and timm and transformers fail
too. The Python part of torchvision needs only two schemas of its compiled part; we declare them here. Detection ops
stay unavailable. On a healthy install nothing happens. Call it before timm, transformers or open_clip are imported.
"""

import importlib
import sys

import torch

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library: torch.library.Library | None = None  # the schemas live as long as this object


def repair_torchvision() -> None:
    global _library
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            _library.define(operator + SCHEMA)
        for name in [n for n in sys.modules if n == "torchvision" or n.startswith("torchvision.")]:
            del sys.modules[name]
        importlib.import_module("torchvision")
