"""CLIP's image tower as an encoder, so that the feature cache stores its vectors and each photo is encoded once.

Unusual among encoders: photos are read at full size and vectors are kept in fp32, so that scores equal the model's.
"""

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from showtell.encoders.clip.towers import Towers
from showtell.encoders.encoder import Encoder
from showtell.encoders.frozen import digest
from showtell.features import Features

WHOLE = (0.0, 0.0, 1.0, 1.0)


class PhotoTower(Encoder):
    """Gives one token, which equals the pooled vector and has length 1."""

    exact = True

    def __init__(self, towers: Towers):
        super().__init__()
        self.towers, self.network = towers, towers.network
        # Any picture works if its rows, columns and colours all differ.
        rows, columns = torch.meshgrid(torch.arange(37), torch.arange(53), indexing="ij")
        picture = torch.stack([rows * 6, columns * 4, (rows * columns) % 256], dim=-1).to(torch.uint8).numpy()
        self.sample = towers.prepare(Image.fromarray(picture))
        self.image_size, self.trains, self.reloadable = self.sample.shape[-1], False, True
        self.weights = digest((), self.network.state_dict())

    @property
    def fingerprint(self) -> str:
        """The prepared sample picture is part of the digest: it changes if photos are resized or cut differently."""
        return digest(("clip", self.towers.library, self.towers.settings, self.weights), {"sample": self.sample})

    def transform(self, image: Image.Image) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, " 4"]]:
        return self.towers.prepare(image), torch.tensor(WHOLE)

    @torch.no_grad()
    def forward(self, pixels: Float[Tensor, "B 3 h w"], view: Float[Tensor, "B 4"]) -> Features:
        with torch.autocast(pixels.device.type, enabled=False):
            pooled = F.normalize(self.towers.see(pixels).float(), dim=-1)
        mask = torch.ones(len(pooled), 1, dtype=torch.bool, device=pooled.device)
        return Features(pooled[:, None], mask, pooled, view[:, None])
