"""Encoder + decoder + tokenizer: photos -> captions, and the folder that holds such a captioner."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from showtell import checkpoint
from showtell.captioners import speaking
from showtell.captioners.caption import Caption
from showtell.captioners.captioner import Builder, Captioner, from_features, saved
from showtell.data.images import open_image
from showtell.decoders.decoder import Decoder
from showtell.encoders.encoder import Encoder
from showtell.encoders.turned import Views
from showtell.features import Seen, to
from showtell.peft.lora import merge
from showtell.settings.text import Recipe
from showtell.tokenizers import TOKENIZERS
from showtell.tokenizers.captions import Tokenizer
from showtell.tokenizers.phrases import Phrases


def options(*, views: Views = "none") -> None:
    """The encoder, decoder and tokenizer have their own sections. `views` adds augmented views of each photo."""


class Neural(Captioner):
    """An encoder, a decoder and a tokenizer, trained by the training loop."""

    name, options, learns = "neural", options, True
    sections = ("encoder", "regions", "tokenizer", "decoder", "peft", "loss", "decode")
    recipe: Recipe
    encoder: Encoder

    def __init__(self, encoder: Encoder, decoder: Decoder, tokenizer: Tokenizer, recipe: Recipe) -> None:
        self.encoder, self.decoder, self.tokenizer, self.recipe = encoder, decoder, tokenizer, recipe
        self.decode, self.views = recipe["decode"], recipe["captioner"]["views"]
        self.spelling = Phrases(tokenizer)

    @property
    def device(self) -> torch.device:
        return next(self.decoder.parameters()).device

    def to(self, device: torch.device | str) -> "Neural":
        self.encoder.to(device)
        self.decoder.to(device)
        return self

    def open(self, path: Path) -> Image.Image:
        return open_image(path, at_least=2 * self.encoder.image_size)

    def caption(self, images: Sequence[str | Path | Image.Image], **decode: Any) -> list[Caption]:
        return from_features(self, images, decode)

    def describe(self, features: Seen, **decode: Any) -> list[Caption]:
        changed = speaking.changed(self.decode, decode)
        seen = to(features, self.device, next(self.decoder.parameters()).dtype)
        return speaking.describe(self.decoder, seen, self.tokenizer, self.spelling, changed)

    def check_decoding(self) -> None:
        speaking.check_decoding(self.decoder, self.spelling, self.decode)

    @property
    def manner(self) -> str:
        return speaking.manner(self.decode, self.views)

    @property
    def chosen_by(self) -> str | None:
        return str(self.recipe["train"]["select"])

    @property
    def parts(self) -> str:
        regions, encoder = self.recipe["regions"]["name"], f"`{self.recipe['encoder']['name']}` encoder"
        seen = {"none": encoder, "precomputed": "`precomputed` features"}.get(regions, f"{encoder} on `{regions}`")
        return f"{seen}, `{self.recipe['decoder']['name']}` decoder"

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> None:
        with saved(self, folder) as path:
            self.save_settings(path)
            weights = checkpoint.weights(self.encoder, self.decoder)
            checkpoint.write_tensors(path / checkpoint.MODEL, checkpoint.halved(weights) if half else weights)

    def save_settings(self, folder: Path) -> None:
        checkpoint.write_recipe(folder, speaking.recipe_of(self))
        self.tokenizer.save(folder)

    @classmethod
    def read(cls, recipe: Recipe, folder: Path, build: Builder) -> "Neural":
        tokenizer = TOKENIZERS[recipe["tokenizer"]["name"]].load(folder)
        encoder = build("encoder")
        captioner = cls(encoder, build("decoder", encoder, tokenizer), tokenizer, recipe)
        tensors = checkpoint.read_tensors(folder / checkpoint.MODEL)
        checkpoint.restore(captioner.encoder, captioner.decoder, tensors, str(folder / checkpoint.MODEL))
        captioner.decoder.eval()
        captioner.encoder.eval()
        merge(captioner.decoder)  # LoRA then costs nothing
        return captioner
