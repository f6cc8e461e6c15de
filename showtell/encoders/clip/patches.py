"""`encoder=clip`: the photo tower of a CLIP as an encoder: pixels -> patch tokens, and one vector.

The vector is the class token (of SigLIP, what its attention pools). With `space: vision` both are as wide as the tower
(768 of ViT-B/32), with `space: joint` they are mapped into the space of photos and texts (512): the vector is then
CLIP's own. The text tower is dropped.
"""

from math import isqrt
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from showtell.encoders.clip.named import DEFAULT, load_towers
from showtell.encoders.clip.towers import Towers, refused
from showtell.encoders.clip.vision import Vision, vision_of
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest, to_half_and_back
from showtell.encoders.grid import check_grid_size, grid_features, pool_grid
from showtell.encoders.pixels import Normalise, Resize, Square
from showtell.features import Features
from showtell.plumbing.errors import InputError, RecipeError


class ClipPatches(Encoder):
    """`model` is named as for CLIPScore: a hub id, a folder, or `open_clip:` and a name or folder.

    `trainable` is none, all or how many of the last blocks. The size of the input is the model's own.
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT,
        space: Literal["vision", "joint"] = "vision",
        grid_size: int | None = None,
        trainable: Literal["none", "all"] | int = "none",
        resize: Resize = "crop",
    ):
        super().__init__()
        check_grid_size(grid_size)
        try:
            towers = load_towers(model)
            vision = vision_of(model, towers)
            self.image_size, mean, std = _pixels_of(model, towers)
        except InputError as error:
            error.key = "model"
            raise
        self.grid_size, self.space, self.reloadable = grid_size, space, True
        self.square, self.normalise = Square(self.image_size, resize), Normalise(mean, std)
        self.settings = (towers.library, towers.settings)
        self.network, self._look = vision.network, vision.look
        self.project = vision.project if space == "joint" else nn.Identity()
        self._check(model)
        self.choose_trainable(trainable, vision)
        self.train()

    @property
    def fingerprint(self) -> str:
        if self.trains:
            return digest((self.square,))
        normalise = (self.normalise.mean.tolist(), self.normalise.std.tolist())
        return digest(("clip patches", self.settings, self.square, normalise, self.space), self.state_dict())

    def choose_trainable(self, trainable: Literal["none", "all"] | int, vision: Vision) -> None:
        """Freeze all but the last blocks and what comes after them."""
        self.trains = trainable != "none"
        self.requires_grad_(trainable == "all")
        if trainable in ("none", "all"):
            return
        if not isinstance(trainable, int) or not 1 <= trainable <= len(vision.blocks):
            takes = f"none, all or 1 to {len(vision.blocks)}"
            raise RecipeError(key="trainable", value=trainable, takes=takes)
        blocks = list(vision.blocks)
        of_blocks = {id(parameter) for block in blocks for parameter in block.parameters()}
        learning = {id(parameter) for block in blocks[-trainable:] for parameter in block.parameters()}
        parameters = list(self.parameters())  # in the order in which they see the photo
        end = max(place for place, parameter in enumerate(parameters) if id(parameter) in of_blocks)
        for place, parameter in enumerate(parameters):
            parameter.requires_grad = id(parameter) in learning or place > end

    def transform(self, image: Image.Image) -> tuple[UInt8[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.square(image)

    def forward(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        if self.trains:
            return self._features(pixels, view)
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            return to_half_and_back(self._features(pixels, view))

    def _features(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        tokens, pooled = (self.project(part) for part in self._look(self.network, self.normalise(pixels)))
        side = isqrt(tokens.shape[1])
        return grid_features(tokens.transpose(1, 2).unflatten(2, (side, side)), view, pooled)

    def pool(self, features: Features) -> Features:
        return pool_grid(features, self.grid_size)

    @torch.no_grad()
    def _check(self, model: str) -> None:
        """Look once: the width is known afterwards, and that the patches are a square."""
        black = torch.zeros(1, 3, self.image_size, self.image_size, dtype=torch.uint8)
        tokens, pooled = self._look(self.network, self.normalise(black))
        if isqrt(tokens.shape[1]) ** 2 != tokens.shape[1] or tokens.shape[-1] != pooled.shape[-1]:
            shapes = f"{tuple(tokens.shape[1:])} and {tuple(pooled.shape[1:])}"
            raise refused(model, f"has tokens and a vector that do not fit together ({shapes})")
        self.dim = self.project(pooled).shape[-1]


def _pixels_of(model: str, towers: Towers) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Size, mean and deviation in bytes' units, from what the model's own preparation makes of black and of white."""
    black, white = (towers.prepare(Image.new("RGB", (8, 8), colour)).double() for colour in ("black", "white"))
    if black.ndim != 3 or black.shape[1] != black.shape[2]:
        raise refused(model, f"takes pixels of shape {tuple(black.shape)}", takes="a model that reads square photos")
    dark, light = black.mean(dim=(1, 2)), white.mean(dim=(1, 2))
    std = 255 / (light - dark)
    mean = -dark * std
    return black.shape[-1], tuple(mean.tolist()), tuple(std.tolist())
