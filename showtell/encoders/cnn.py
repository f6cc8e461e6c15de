"""A small convolutional network, trained from scratch: pixels -> a grid of tokens and their mean.

Residual stages as in He et al. 2016 (arXiv:1512.03385), but so small that two CPU cores train them in minutes. Each
stage halves the image's side and doubles the width: from `image_size` 128 to `grid_size` 8 there are 4 stages.
"""

from math import log2

from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.encoders.grid import check_grid_size, grid_features
from showtell.encoders.pixels import Normalise, Resize, Square
from showtell.features import Features
from showtell.layers.batch_norm import spare_lone_values
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Layers, Side, Size


def convolution(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """x + convolution(convolution(x))."""

    def __init__(self, width: int):
        super().__init__()
        self.inner = nn.Sequential(convolution(width, width, 3), convolution(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class ConvNet(Encoder):
    """Trains together with the decoder, so only its pixels are cached."""

    def __init__(
        self,
        *,
        image_size: Side = 128,
        grid_size: int = 8,
        width: Size = 16,
        depth: Layers = 1,
        dim: Size = 256,
        resize: Resize = "stretch",
    ):
        super().__init__()
        check_grid_size(grid_size)
        self.square = Square(image_size, resize)
        stages = round(log2(max(image_size / grid_size, 2)))
        if grid_size * 2**stages != image_size:
            takes = f"grid_size ({grid_size}) times a power of 2, such as {grid_size * 2**stages}"
            raise RecipeError(key="image_size", value=image_size, takes=takes)
        self.dim, self.image_size, self.trains, self.reloadable = dim, image_size, True, False
        self.normalise = Normalise((127.5,) * 3, (64.0,) * 3)
        layers: list[nn.Module] = [convolution(3, width, 3, stride=2)]
        for _ in range(stages - 1):
            layers += [convolution(width, 2 * width, 3, stride=2), Residual(2 * width)]
            width = 2 * width
        # On the small grid a layer is fast, and its receptive field is large: with `depth` 3, a cell sees most others.
        layers += [Residual(width) for _ in range(depth - 1)]
        self.layers = nn.Sequential(*layers, convolution(width, dim, 1))
        spare_lone_values(self.layers)

    @property
    def fingerprint(self) -> str:
        return digest((self.square,))

    def transform(self, image: Image.Image) -> tuple[UInt8[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.square(image)

    def forward(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        return grid_features(self.layers(self.normalise(pixels)), view)
