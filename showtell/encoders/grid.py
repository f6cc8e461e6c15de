"""Grids of features: convert a feature map to Features, and pool Features to another grid size."""

from math import isqrt

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from showtell.features import Features, grid_boxes
from showtell.plumbing.errors import RecipeError


def grid_features(
    grid: Float[Tensor, "B D h w"], view: Float[Tensor, "B 4"], pooled: Float[Tensor, "B D"] | None = None
) -> Features:
    """A feature map -> Features with h*w tokens, row by row. If `pooled` is None, it is the mean of the tokens."""
    tokens = grid.flatten(2).transpose(1, 2)  # B D h w -> B N D
    mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    pooled = tokens.mean(1) if pooled is None else pooled
    rows, columns = grid.shape[2:]
    return Features(tokens, mask, pooled, grid_boxes(rows, columns, view))


def check_grid_size(grid_size: int | None) -> None:
    if grid_size is not None and grid_size < 1:
        takes = "1 or more, or null for the encoder's own grid"
        raise RecipeError(key="grid_size", value=grid_size, takes=takes)


def pool_grid(features: Features, size: int | None) -> Features:
    """Average the tokens of a square grid to size x size tokens; None keeps them.

    4 x 4 tokens become 2 x 2, each the mean of 4. A larger size repeats tokens: Show, Attend and Tell reads 14 x 14,
    even if the network has 7 x 7. `pooled` does not change.
    """
    side = isqrt(features.tokens.shape[1])
    if size is None or size == side:
        return features
    grid = features.tokens.unflatten(1, (side, side)).permute(0, 3, 1, 2)  # B N D -> B D h w
    view = torch.cat([features.boxes[:, 0, :2], features.boxes[:, -1, 2:]], dim=1)
    return grid_features(adaptive_avg_pool2d(grid, size), view, features.pooled)
