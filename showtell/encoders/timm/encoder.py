"""Any network of timm as an encoder: pixels -> the patch tokens of a ViT or the last map of a CNN, and one vector.

The pooled vector is the class token if the network has one, otherwise the mean of the tokens. Both are taken after the
network's last norm. The size, mean and deviation of images come from the network's settings. If a ViT was trained at
another `image_size`, timm interpolates its position embeddings.
"""

from collections.abc import Callable
from math import isqrt
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest, to_half_and_back
from showtell.encoders.grid import check_grid_size, grid_features, pool_grid
from showtell.encoders.pixels import Normalise, Resize, Square
from showtell.encoders.timm.weights import load_file, load_hub
from showtell.features import Features
from showtell.layers.batch_norm import spare_lone_values
from showtell.plumbing.errors import RecipeError
from showtell.plumbing.messages import nearest
from showtell.plumbing.torchvision_repair import repair_torchvision
from showtell.settings.bounds import Side

Build = Callable[..., Any]


class Timm(Encoder):
    """`weights` is hub, random or a file. `trainable` is none, all or a number of last blocks (of a CNN: stages).

    `image_size: null` takes the size at which the network was trained.
    """

    def __init__(
        self,
        *,
        model: str = "vit_small_patch14_dinov2.lvd142m",
        weights: str = "hub",
        image_size: Side | None = 224,
        grid_size: int | None = None,
        trainable: Literal["none", "all"] | int = "none",
        resize: Resize = "stretch",
    ):
        super().__init__()
        check_grid_size(grid_size)
        image_size = image_size or None  # 0 means null
        build, settings = builder(model, image_size)
        self.grid_size, self.image_size = grid_size, image_size or settings["input_size"][-1]
        self.square = Square(self.image_size, resize)
        self.normalise = Normalise(*(tuple(255 * x for x in settings[name]) for name in ("mean", "std")))
        self.network = build()
        check_patches(self.network, self.image_size)
        if weights == "hub":
            self.network = load_hub(model, build)
        elif weights != "random":
            load_file(self.network, weights)
        if hasattr(self.network, "pre_logits"):  # VGG's fully connected layers: 120 million weights that are not used
            self.network.pre_logits = nn.Identity()
        self.name, self.dim = model, self.network.num_features
        self.reloadable = weights != "random"
        spare_lone_values(self.network)
        self.choose_trainable(trainable)
        self.train()

    @property
    def fingerprint(self) -> str:
        if self.trains:
            return digest((self.square,))
        normalise = (self.normalise.mean.tolist(), self.normalise.std.tolist())
        return digest(("timm", self.name, self.square, normalise), self.network.state_dict())

    def choose_trainable(self, trainable: Literal["none", "all"] | int) -> None:
        """Freeze all but the last blocks. Parameters that do not change the features are always frozen."""
        self.trains = trainable != "none"
        if not self.trains:
            self.requires_grad_(False)
            return
        groups = self.used_groups()
        last = len(groups) if trainable == "all" else trainable
        if not isinstance(last, int) or not 1 <= last <= len(groups):
            takes = f"none, all or 1 to {len(groups)}"
            raise RecipeError(key="trainable", value=trainable, taker=f"{self.name!r} takes", takes=takes)
        self.requires_grad_(False)
        for parameter in (p for group in groups[-last:] for p in group):
            parameter.requires_grad = True

    def used_groups(self) -> list[list[nn.Parameter]]:
        """The parameters of each block, as timm groups them, first block first; only those that get a gradient.

        If timm makes the last norm its own group (Swin), it is merged into the block before it.
        """
        from timm.models._manipulate import group_parameters

        self.eval()
        image = torch.zeros(1, 3, self.image_size, self.image_size, dtype=torch.uint8)
        features = self(image, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
        (features.tokens.sum() + features.pooled.sum()).backward()
        used = {name for name, parameter in self.network.named_parameters() if parameter.grad is not None}
        self.zero_grad(set_to_none=True)
        parameters = dict(self.network.named_parameters())
        groups = group_parameters(self.network, self.network.group_matcher(coarse=True))
        blocks = [[parameters[name] for name in groups[key] if name in used] for key in sorted(groups)]
        blocks = [block for block in blocks if block]
        while len(blocks) > 1 and all(parameter.ndim < 2 for parameter in blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
        return blocks

    def transform(self, image: Image.Image) -> tuple[UInt8[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.square(image)

    def forward(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        if self.trains:
            return self.look(pixels, view)
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            return to_half_and_back(self.look(pixels, view))

    def look(self, pixels: UInt8[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        out = self.network.forward_features(self.normalise(pixels))
        if out.ndim == 4:
            channels_first = getattr(self.network, "output_fmt", "NCHW") != "NHWC"
            return grid_features(out if channels_first else out.permute(0, 3, 1, 2), view)
        # Networks that were trained with mean pooling have their last norm (fc_norm) after the pooling.
        out = getattr(self.network, "fc_norm", nn.Identity())(out)
        tokens = out[:, getattr(self.network, "num_prefix_tokens", 0) :]  # without class and register tokens
        pooled = tokens.mean(1) if getattr(self.network, "cls_token", None) is None else out[:, 0]
        side = isqrt(tokens.shape[1])
        return grid_features(tokens.transpose(1, 2).unflatten(2, (side, side)), view, pooled)

    def pool(self, features: Features) -> Features:
        return pool_grid(features, self.grid_size)


def builder(model: str, image_size: int | None) -> tuple[Build, dict[str, Any]]:
    """A function that builds the named network without its classifier, and the network's settings, such as mean."""
    repair_torchvision()
    import timm

    if not timm.is_model(model):
        known = timm.list_models()
        raise RecipeError(
            f"is {model!r}, which is not a model of timm",
            key="model",
            value=model,
            near=nearest(model, known),
            advice=f"timm.list_models() lists all {len(known):,} models",
        )
    try:
        settings = timm.get_pretrained_cfg(model).to_dict()
    except RuntimeError:
        name = model.split(".")[0]
        tags = [tag.removeprefix(name + ".") for tag in timm.list_pretrained(name + ".*")]
        wrong = f"is {model!r}, but {name} has no such weights"
        raise RecipeError(wrong, key="model", value=model, taker=f"{name} has", takes=tags) from None
    # Only networks of a fixed size accept (and need) `img_size`; the others read images of any size.
    size = {"img_size": image_size} if image_size and settings["fixed_input_size"] else {}

    def build(pretrained: bool = False) -> Any:
        return timm.create_model(model, pretrained=pretrained, num_classes=0, **size)

    return build, settings


def check_patches(network: Any, image_size: int) -> None:
    """Raise RecipeError unless the image can be cut into whole patches: 224 = 16 patches of 14."""
    patch_size = getattr(getattr(network, "patch_embed", None), "patch_size", (1,))[0]
    if image_size % patch_size:
        closest = max(round(image_size / patch_size), 1) * patch_size
        takes = f"multiples of the patch size {patch_size}, such as {closest}"
        raise RecipeError(key="image_size", value=image_size, takes=takes)
