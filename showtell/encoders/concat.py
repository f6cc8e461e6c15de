"""Several frozen encoders at once: pixels -> a grid whose tokens concatenate the channels of all encoders.

With 1280 channels of `lite` and 384 of a ViT, a token has 1664. Different networks see different things, and the
decoder can use both.
"""

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Annotated, Any

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from showtell.encoders.encoder import ENCODERS, Encoder
from showtell.encoders.frozen import digest, to_half_and_back
from showtell.encoders.grid import check_grid_size, pool_grid
from showtell.features import Features
from showtell.plumbing.errors import RecipeError, ShowtellError

Part = str | dict[str, Any]


class Concat(Encoder):
    """`parts` are encoder sections or names. All grids are pooled to the size of the first one, then concatenated.

    All parts read the same pixels, so they need the same `image_size` and `resize`. Parts may not train, and may not
    have a `grid_size`.
    """

    def __init__(self, *, parts: Annotated[tuple[Part, ...], Field(min_length=2)], grid_size: int | None = None):
        super().__init__()
        check_grid_size(grid_size)
        self.grid_size = grid_size
        built = [_built(part, number) for number, part in enumerate(parts)]
        for number, part in enumerate(built):
            _check(part, built[0], number)
        self.parts = nn.ModuleList(built)
        self.dim, self.image_size, self.trains = sum(part.dim for part in built), built[0].image_size, False
        self.reloadable = all(part.reloadable for part in built)

    @property
    def encoders(self) -> list[Encoder]:
        return [part for part in self.parts if isinstance(part, Encoder)]

    @property
    def fingerprint(self) -> str:
        return digest(("concat", tuple(part.fingerprint for part in self.encoders)))

    def transform(self, image: Image.Image) -> tuple[UInt8[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.encoders[0].transform(image)

    def forward(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        return self.join([part(pixels, view) for part in self.encoders])

    def join(self, features: Sequence[Features]) -> Features:
        side = isqrt(features[0].tokens.shape[1])
        seen = [to_half_and_back(pool_grid(part, side)) for part in features]
        tokens = torch.cat([part.tokens for part in seen], dim=-1)
        pooled = torch.cat([part.pooled for part in seen], dim=-1)
        return features[0]._replace(tokens=tokens, pooled=pooled)

    def pool(self, features: Features) -> Features:
        return pool_grid(features, self.grid_size)


def _built(part: Part, number: int) -> Encoder:
    section: Mapping[str, Any] = {"name": part} if isinstance(part, str) else part
    options = {key: value for key, value in section.items() if key != "name"}
    try:
        return ENCODERS[section.get("name", "lite")](**options)
    except ShowtellError as error:  # its key does not say which of the parts is wrong
        if error.key is None:
            error.wrong = f"encoder.parts[{number}]: {error.wrong}"
        error.within(f"encoder.parts[{number}]")
        raise


def _check(part: Encoder, first: Encoder, number: int) -> None:
    key = f"encoder.parts[{number}]"
    if part.trains:
        raise RecipeError(
            "trains", key=key, taker="concat takes", takes="frozen encoders", advice="remove its trainable"
        )
    if (size := getattr(part, "grid_size", None)) is not None:
        advice = f"remove it and set encoder.grid_size={size}"
        raise RecipeError(key=f"{key}.grid_size", value=size, advice=advice)
    wide = Image.new("RGB", (2, 1))
    (pixels, view), (wanted, of_first) = part.transform(wide), first.transform(wide)
    if pixels.shape != wanted.shape or not torch.equal(view, of_first):
        raise RecipeError(
            f"reads other pixels ({part.image_size} x {part.image_size}) than parts[0] "
            f"({first.image_size} x {first.image_size})",
            key=key,
            advice="set the same image_size and resize for all parts",
        )
