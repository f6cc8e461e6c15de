"""Model 4: as model 3, but the image code stands beside every word (conditioning init_state is the other choice)."""

from models.model_3 import Model as Gated


class Model(Gated):
    @staticmethod
    def decoder(conditioning="every_step", **parameters):
        return Gated.decoder(conditioning=conditioning, **parameters)
