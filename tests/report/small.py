"""A small real captioner for tests: untrained, so what it says is nonsense, but it says and looks."""

from typing import Any

import torch

from showtell.captioners.neural import Neural
from showtell.recipe.build import build, build_neural
from showtell.recipe.check import check
from showtell.tokenizers.words import Words

CAPTIONS = ["a red star is left of a blue heart", "there is a green circle"]


def small_captioner(**sections: dict[str, Any]) -> Neural:
    """Wide random weights: an untrained decoder's own are so small that its attention is the same everywhere."""
    recipe = {
        "data": {"name": "scenes"},
        "encoder": {"name": "cnn", "image_size": 32, "grid_size": 4, "width": 4, "dim": 6},
        "tokenizer": {"name": "words", "min_count": 1},
        "decoder": {"name": "transformer", "dim": 8, "layers": 2, "heads": 2, "mlp_dim": 12, "max_length": 24},
        "decode": {"name": "greedy", "max_length": 9, "min_length": 7},
    }
    torch.manual_seed(3)
    checked = check(recipe | sections)
    captioner = build_neural(checked, build(checked, "encoder"), Words(min_count=1).fit(CAPTIONS))
    with torch.no_grad():
        for weight in captioner.decoder.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.7)
    captioner.encoder.eval()
    captioner.decoder.eval()
    return captioner
