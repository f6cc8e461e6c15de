"""Model 1: a CNN trained from scratch; its code is the first input of a two-layer RNN.

`Captioner` below is the frame of all six models: an encoder and a decoder of Showtell that answer as the hand-out's
train.py and evaluate.py expect, with `forward(image, caption_indices)` and `generate_image_caption_tokens(image)`. A
model itself only says which encoder and decoder it has.
"""

import torch

from showtell.decode import STRATEGIES
from showtell.recipe.build import build_decoder, build_encoder
from showtell.recipe.check import check_sections
from showtell.tokenizers.bern import UNK
from showtell.tokenizers.captions import Special, words_of

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # by which the hand-out normalises images
RESNET = {"name": "timm", "model": "resnet18", "weights": "random", "trainable": "all", "image_size": 224}
SECTIONS = ("encoder", "regions", "decoder", "peft", "decode")


class Captioner(torch.nn.Module):
    """`parameters` are those of the config. `encoder` is a name such as lite, or a section such as {name: lite}."""

    def __init__(self, vocabulary, encoder=None, decode=None, **parameters):
        super().__init__()
        self.vocabulary = vocabulary
        recipe = check_sections(self.sections(encoder, decode, **parameters), SECTIONS)
        self.image_encoder = build_encoder(recipe)
        self.caption_generator = build_decoder(recipe, self.image_encoder, vocabulary)
        self.search = recipe["decode"]
        self.register_buffer("measured", torch.tensor(False))  # whether the decoder knows the features' deviations

    @classmethod
    def sections(cls, encoder=None, decode=None, **parameters):
        """The sections `encoder`, `decoder` and `decode` of Showtell's recipe for these parameters."""
        chosen = {"name": encoder} if isinstance(encoder, str) else encoder or cls.encoder
        decode = decode or {"name": "beam", "num_beams": 5, "length_penalty": 0.7}
        return {"encoder": chosen, "decoder": cls.decoder(**parameters), "decode": decode}

    def freeze(self):
        """Nothing to do: a pretrained encoder is frozen from the start, and stays in eval mode by itself."""

    def get_optimizer(self, lr):
        return torch.optim.Adam([each for each in self.parameters() if each.requires_grad], lr=lr)

    def forward(self, image, caption_indices):
        """Images (B 3 224 224) and words (B T) -> logits (B V T) of the word after each, and the likeliest (B T)."""
        memory, state = self.caption_generator.start(self.look(image))
        logits = self.caption_generator(memory, state, caption_indices[:, None]).logits[:, 0]
        return {"logits": logits.transpose(1, 2), "indices": logits.argmax(-1)}

    def look(self, image):
        """The features of images that the hand-out normalised. Showtell's encoders want bytes, and normalise again."""
        scale = (torch.tensor(each, device=image.device).view(3, 1, 1) for each in (DEVIATION, MEAN))
        pixels = (255 * (image * next(scale) + next(scale))).round().clamp(0, 255).to(torch.uint8)
        view = torch.tensor([[0.0, 0.0, 1.0, 1.0]], device=image.device).expand(len(image), -1)
        features = self.image_encoder.pool(self.image_encoder(pixels, view))
        if self.training and not self.image_encoder.trains and not self.measured:
            self.caption_generator.fit(features)
            self.measured.fill_(True)
        return features

    @torch.no_grad()
    def generate_image_caption_tokens(self, image, max_length=50):
        """One image (1 3 224 224) -> its caption's words, at most `max_length`, found by beam search."""
        self.eval()
        special = self.special
        options = {name: value for name, value in self.search.items() if name not in ("name", "max_length")}
        search = STRATEGIES[self.search["name"]]
        found = search(self.caption_generator, self.look(image), special, max_length=max_length + 1, **options)  # + bos
        ids = found.tokens[0, 0][found.mask[0, 0]].tolist()
        return self.vocabulary.to_tokens(indices=words_of(ids, special), remove_special_tokens=True)

    @property
    def special(self):
        named = self.vocabulary.pad_token, self.vocabulary.sos_token, self.vocabulary.eos_token
        pad, sos, eos, unk = (int(self.vocabulary.to_index(token)) for token in (*named, UNK))
        return Special(begin=(sos,), eos=eos, pad=pad, suppress=(pad, sos, unk))


class Model(Captioner):
    encoder = RESNET

    @staticmethod
    def decoder(embedding_dim=128, num_layers=2, **others):
        sizes = {"embedding_dim": embedding_dim, "dim": embedding_dim, "layers": num_layers, "dropout": 0.5}
        return {"name": "recurrent", "cell": "rnn", "conditioning": "first_token"} | sizes | others
