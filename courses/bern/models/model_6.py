"""Model 6: a Transformer with cross-attention on DINOv2's patch tokens."""

from models.model_5 import Model as Transformer


class Model(Transformer):
    @staticmethod
    def decoder(**parameters):
        return Transformer.decoder(**{"conditioning": "cross", "sees": "tokens"} | parameters)
