"""Encoder + decoder + tokenizer: photos -> captions, and the folder that holds such a captioner."""

from pathlib import Path
from typing import Any

import torch

from showtell import checkpoint
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Captioner
from showtell.captioners.views import decoder_of_views, encoder_of_views
from showtell.decode import check_words
from showtell.decode.options import check_positions
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.turned import VIEWS
from showtell.features import Features
from showtell.plumbing.errors import RecipeError
from showtell.recipe.build import build, build_encoder
from showtell.recipe.tables import options, part
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.phrases import Phrases


class Neural(Captioner):
    """A captioner of three parts, trained by steps."""

    name = "neural"

    def __init__(self, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer, recipe: Recipe) -> None:
        self.encoder, self.decoder, self.tokenizer, self.recipe = encoder, decoder, tokenizer, recipe
        self.spelling = Phrases(tokenizer)

    @classmethod
    def build(cls, recipe: Recipe, encoder: Encoder, tokenizer: Tokenizer) -> "Neural":
        """The recipe's decoder, with the weights it starts from, between the two."""
        decoder = build(recipe, "decoder", encoder.dim, len(tokenizer))
        _check_fit(encoder, decoder, recipe)
        return cls(encoder, decoder, tokenizer, recipe)

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    def to(self, device: torch.device | str) -> "Neural":
        self.encoder.to(device)
        self.decoder.to(device)
        return self

    @property
    def eyes(self) -> Encoder:
        return encoder_of_views(self.encoder, self.recipe["captioner"]["views"])

    def describe(self, features: Features, **decode: Any) -> list[Caption]:
        """The likeliest caption of each image from its features."""
        section = self.decoding(**decode)
        self.decoder.eval()
        strategy, settings = part({"decode": section}, "decode"), options({"decode": section}, "decode")
        check_positions(self.decoder.max_length, settings.get("max_length"))
        features = features.to(self.device)
        decoder = decoder_of_views(self.decoder, features)
        found = strategy(decoder, features, self.tokenizer.special, self.spelling, **settings)
        tokens, mask, log_probs = (x[:, 0].tolist() for x in (found.tokens, found.mask, found.log_probs))
        rows = [[t for t, real in zip(*row, strict=True) if real] for row in zip(tokens, mask, strict=True)]
        return [Caption(self._text(row), row, log_prob) for row, log_prob in zip(rows, log_probs, strict=True)]

    def check_decoding(self) -> None:
        section = self.recipe["decode"]
        check_positions(self.decoder.max_length, section.get("max_length"))
        check_words(self.spelling, section.get("must", ()), section.get("must_not", ()))

    def decoding(self, **changes: Any) -> dict[str, Any]:
        """The recipe's decode section with changes; another `name` drops the other strategy's options."""
        section = self.recipe["decode"]
        kept = section if changes.get("name", section["name"]) == section["name"] else {}
        return kept | changes

    def _text(self, tokens: list[int]) -> str:
        end = [self.tokenizer.special.eos] if tokens[-1] == self.tokenizer.special.eos else []
        return self.tokenizer.decode(tokens[1 : len(tokens) - len(end)])

    @property
    def manner(self) -> str:
        said = {key: value for key, value in self.recipe["decode"].items() if key != "name" and value != []}
        views = self.recipe["captioner"]["views"]
        mean = f"mean over views ({views}): " if VIEWS[views] else ""
        return f"{mean}{self.recipe['decode']['name']}({','.join(f'{key}={value}' for key, value in said.items())})"

    @property
    def chosen_by(self) -> str | None:
        return str(self.recipe["train"]["select"])

    @property
    def parts(self) -> str:
        regions, encoder = self.recipe["regions"]["name"], f"`{self.recipe['encoder']['name']}` encoder"
        seen = {"none": encoder, "precomputed": "`precomputed` features"}.get(regions, f"{encoder} on `{regions}`")
        return f"{seen}, `{self.recipe['decoder']['name']}` decoder"

    def save_files(self, folder: Path, *, half: bool = False) -> None:
        self.save_settings(folder)
        weights = checkpoint.weights(self.encoder, self.decoder)
        if half:
            weights = {
                name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()
            }
        checkpoint.write_tensors(folder / checkpoint.MODEL, weights)

    def save_settings(self, folder: Path) -> None:
        checkpoint.write_recipe(folder, self.recipe)
        self.tokenizer.save(folder)

    @classmethod
    def read(cls, recipe: Recipe, folder: Path) -> "Neural":
        tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
        captioner = cls.build(recipe, build_encoder(recipe), tokenizer)
        tensors = checkpoint.read_tensors(folder / checkpoint.MODEL)
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors, str(folder / checkpoint.MODEL))
        captioner.decoder.eval()
        captioner.encoder.eval()
        return captioner


def _check_fit(encoder: Encoder, decoder: Decoder, recipe: Recipe) -> None:
    """Whether the decoder can read what the regions give; of a grid that is seen when the first image comes."""
    if None not in (decoder.regions, encoder.count) and decoder.regions != encoder.count:
        raise RecipeError(
            f"decoder.regions is {decoder.regions}, and regions {recipe['regions']['name']!r} gives "
            f"{encoder.count} an image; decoder.regions={encoder.count} takes them"
        )
    if decoder.reads_boxes and not encoder.places:
        raise RecipeError(
            f"decoder {recipe['decoder']['name']!r} reads where each region lies, and regions.file="
            f"{recipe['regions']['file']} has no boxes; add them, or take a decoder that reads none: "
            "decoder.sees=pooled, decoder=attend without decoder.image_dim, decoder=topdown"
        )
