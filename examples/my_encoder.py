"""An encoder of your own, outside of the package: one class and one line, and every recipe can use it."""

from PIL import Image
from torch import Tensor, nn

import showtell


class Mine(showtell.Encoder):
    """Two convolutions that quarter the size; the keyword arguments are what a recipe may set."""

    def __init__(self, *, image_size: int = 64, dim: int = 48) -> None:
        super().__init__()
        self.dim, self.image_size, self.trains, self.reloadable = dim, image_size, True, False
        self.square = showtell.Square(image_size, "stretch")
        self.normalise = showtell.Normalise((127.5,) * 3, (64.0,) * 3)
        self.layers = nn.Sequential(nn.Conv2d(3, dim, 4, stride=4), nn.ReLU(), nn.Conv2d(dim, dim, 4, stride=4))

    @property
    def fingerprint(self) -> str:
        return showtell.digest((self.square,))  # it trains, so the cache holds pixels, which depend on nothing else

    def transform(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        return self.square(image)

    def forward(self, pixels: Tensor, view: Tensor) -> showtell.Features:
        return showtell.grid_features(self.layers(self.normalise(pixels)), view)


showtell.ENCODERS["mine"] = Mine

small = ["data.images=60", "data.val_images=6", "data.test_images=0", "train.max_steps=6", "train.batch_size=50"]
run = showtell.train(showtell.load_recipe("scenes", ["encoder=mine", "encoder.dim=32", *small]), "runs/mine")
print(f"trained: {run}; showtell.load({str(run)!r}) works wherever showtell.ENCODERS has 'mine'")
