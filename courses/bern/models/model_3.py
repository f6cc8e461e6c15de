"""Model 3: as model 2 with a gated cell: cell is lstm or gru, num_layers any number."""

from models.model_2 import Model as Pretrained


class Model(Pretrained):
    @staticmethod
    def decoder(cell="lstm", **parameters):
        return Pretrained.decoder(cell=cell, **parameters)
