"""Model 5: DINOv2's CLS token as the prefix of a causal Transformer."""

from models.model_2 import Model as Pretrained


class Model(Pretrained):
    @staticmethod
    def decoder(embedding_dim=128, num_layers=2, **others):
        sizes = {"dim": embedding_dim, "mlp_dim": 4 * embedding_dim, "layers": num_layers}
        return {"name": "transformer", "conditioning": "prefix", "sees": "pooled"} | sizes | others
