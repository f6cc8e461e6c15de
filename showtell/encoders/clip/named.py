"""The name of a CLIP -> its towers, in fp32 and frozen, whichever library they are from."""

import torch

from showtell.encoders.clip.from_open_clip import load_open_clip
from showtell.encoders.clip.from_transformers import load_transformers
from showtell.encoders.clip.towers import OPEN_CLIP, Towers

DEFAULT = "openai/clip-vit-base-patch32"


def load_towers(name: str) -> Towers:
    """Raises InputError for a name that is no model, and for weights that are out of reach or do not fit."""
    with torch.random.fork_rng(devices=[]):  # libraries draw weights before they read them
        towers = (load_open_clip if name.startswith(OPEN_CLIP) else load_transformers)(name)
    towers.network.float().eval().requires_grad_(False)
    return towers
