"""Model 2: frozen DINOv2; its CLS token is the first input of the RNN of model 1."""

from models.model_1 import Captioner
from models.model_1 import Model as Recurrent

DINOV2 = {"name": "timm", "model": "vit_small_patch14_dinov2.lvd142m", "image_size": 224}


class Model(Captioner):
    encoder = DINOV2
    decoder = staticmethod(Recurrent.decoder)
