"""A photo as the hand-out's transform gives it to a model: stretched to 224 x 224 pixels, normalised."""

from pathlib import Path

import numpy as np
import torch
from models.model_1 import DEVIATION, MEAN
from PIL import Image

from showtell.plumbing.errors import Unreadable


def normalised(path: Path) -> torch.Tensor:
    """The photo at `path` -> (1 3 224 224)."""
    try:
        image = Image.open(path).convert("RGB")
    except OSError as error:
        raise Unreadable(path, error.strerror or "not a photo") from None
    pixels = torch.from_numpy(np.array(image.resize((224, 224), Image.Resampling.BILINEAR))).permute(2, 0, 1) / 255
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, DEVIATION))
    return ((pixels - mean) / deviation)[None]
